"""Recipes: what each section accepts, and what it refuses."""

import ast
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from geoseg.config import recipe as recipe_module
from geoseg.config.load import parse_recipe
from geoseg.config.recipe import (
    AugmentSection,
    DataSection,
    ModelSection,
    PredictSection,
    Recipe,
    TrainSection,
    replace_renamed_values,
)
from geoseg.errors import ConfigError, GeosegWarning

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
        ({"predict": {"tile": 64, "halo": 32}}, "predict: a halo of 32 pixels leaves no core in a tile of 64 pixels"),
        ({"train": {"iterations": 10, "warmup": 10}}, "train: a warm-up of 10 steps is too long for 10 iterations"),
        ({"train": {"batch": 0}}, "train.batch: 0 is not valid"),
        ({"augment": {"scale": [2, 0.5]}}, "augment.scale: .2, 0.5. is not valid"),
        ({"augment": {"scale": [0, 1]}}, "augment.scale: .0, 1. is not valid"),
        ({"augment": {"rotate90": 1.5}}, "augment.rotate90: 1.5 is not valid"),
        ({"model": {"output_stride": 32}}, "model.output_stride: 32 is not valid"),
        ({"loss": []}, "loss: .. is not valid"),
        ({"data": {"gsd": 0}}, "data.gsd: 0 is not valid"),
        ({"data": {"unknown_share": 2}}, "data.unknown_share: 2 is not valid"),
    ],
)
def test_values_that_make_no_sense_are_refused_in_a_sentence(content, message) -> None:
    with pytest.raises(ConfigError, match=f"^recipe: {message}$") as error:
        parse_recipe({"data": {}} | content)
    assert error.value.hint


def test_one_loss_may_be_written_without_a_list() -> None:
    one = parse_recipe({"data": {}, "loss": "cross_entropy"})
    assert one == parse_recipe({"data": {}, "loss": ["cross_entropy"]}) == parse_recipe({"data": {}})
    assert parse_recipe({"data": {}, "loss": {"name": "dice", "weight": 2}}).loss[0].weight == 2


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


def test_an_old_spelling_is_accepted_with_a_warning_that_names_the_new_one() -> None:
    with pytest.warns(GeosegWarning, match=r"augment\.photometric: 'zoo' is now called 'openmmlab'"):
        recipe = parse_recipe({"data": {}, "augment": {"photometric": "zoo"}})
    assert recipe == parse_recipe({"data": {}, "augment": {"photometric": "openmmlab"}})


def test_stored_recipes_get_the_new_spelling_without_a_warning() -> None:
    recipe = parse_recipe({"data": {}, "augment": {"photometric": "openmmlab"}})
    stored = recipe.model_dump(mode="json")
    old = {**stored, "augment": {**stored["augment"], "photometric": "zoo"}}
    assert replace_renamed_values(old) == replace_renamed_values(stored) == stored
    assert replace_renamed_values({"data": {}}) == {"data": {}}
