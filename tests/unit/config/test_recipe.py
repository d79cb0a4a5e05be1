"""Recipes: what each section accepts, and what it refuses."""

import ast
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from geoseg.config import recipe as recipe_module
from geoseg.config.load import recipe_from
from geoseg.config.recipe import AugmentSection, DataSection, ModelSection, PredictSection, Recipe, TrainSection
from geoseg.errors import ConfigError

SECTIONS = [DataSection, ModelSection, AugmentSection, TrainSection, PredictSection, Recipe]
STRICT = [section for section in SECTIONS if section is not DataSection]


@pytest.mark.parametrize("section", STRICT)
def test_every_section_has_defaults_and_refuses_what_it_does_not_know(section) -> None:
    needed = {"data": {}} if section is Recipe else {}
    section.model_validate(needed)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        section.model_validate(needed | {"colour": 1})


def test_other_keys_of_the_data_section_are_options_of_the_dataset() -> None:
    section = DataSection.model_validate({"root": "here", "images": "{name}.tif", "legend": ["a"]})
    assert section.options == {"images": "{name}.tif", "legend": ["a"]}
    assert DataSection().options == {}


@pytest.mark.parametrize("section", SECTIONS)
def test_sections_do_not_change(section) -> None:
    made = section.model_validate({"data": {}} if section is Recipe else {})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, next(iter(section.model_fields)), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"predict": {"tile": 64, "halo": 32}}, "predict: a halo of 32 leaves nothing of a tile of 64"),
        ({"train": {"iterations": 10, "warmup": 10}}, "train: a warm-up of 10 steps does not fit into 10 iterations"),
        ({"train": {"batch": 0}}, "train.batch: 0 does not fit"),
        ({"augment": {"scale": [2, 0.5]}}, "augment.scale: .2, 0.5. does not fit"),
        ({"augment": {"scale": [0, 1]}}, "augment.scale: .0, 1. does not fit"),
        ({"augment": {"rotate90": 1.5}}, "augment.rotate90: 1.5 does not fit"),
        ({"model": {"output_stride": 32}}, "model.output_stride: 32 does not fit"),
        ({"loss": []}, "loss: .. does not fit"),
        ({"data": {"gsd": 0}}, "data.gsd: 0 does not fit"),
        ({"data": {"unknown_share": 2}}, "data.unknown_share: 2 does not fit"),
    ],
)
def test_values_that_make_no_sense_are_refused_in_a_sentence(content, message) -> None:
    with pytest.raises(ConfigError, match=f"^recipe: {message}$") as error:
        recipe_from({"data": {}} | content)
    assert error.value.hint


def test_one_loss_may_be_written_without_a_list() -> None:
    one = recipe_from({"data": {}, "loss": "cross_entropy"})
    assert one == recipe_from({"data": {}, "loss": ["cross_entropy"]}) == recipe_from({"data": {}})
    assert recipe_from({"data": {}, "loss": {"name": "dice", "weight": 2}}).loss[0].weight == 2


def fields_without_docstring() -> list[str]:
    tree = ast.parse(Path(recipe_module.__file__).read_text("utf-8"))
    found = []
    for section in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        following = zip(section.body, [*section.body[1:], None], strict=True)
        fields = [(node, after) for node, after in following if isinstance(node, ast.AnnAssign)]
        undocumented = [node for node, after in fields if not (isinstance(after, ast.Expr) and ast.unparse(after))]
        found += [f"{section.name}.{ast.unparse(node.target)}" for node in undocumented]
    return found


def test_a_docstring_stands_below_every_setting() -> None:
    sections = [name for name in fields_without_docstring() if not name.startswith("Recipe.")]
    assert sections == []


def test_all_sections_are_pydantic_models_of_this_file() -> None:
    parts = {field.annotation for field in Recipe.model_fields.values() if isinstance(field.annotation, type)}
    assert {part for part in parts if issubclass(part, BaseModel)} == set(SECTIONS) - {Recipe}
