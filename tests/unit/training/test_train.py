"""Tests of ``train``: recipes by value, path and name, overrides, and the result."""

import sys
from functools import reduce

import pytest

import geoseg
from geoseg.config.load import load_recipe, to_yaml
from geoseg.config.recipe import Recipe
from geoseg.errors import ConfigError, DataError, GeosegError
from geoseg.training.train import check_recipe, train
from geoseg.training.training_result import RECIPE_NAME, TrainingResult

OVERRIDES = ["train.iterations=2", "train.validate_every=2"]


class Captured(Exception):
    """Ends ``train`` with the loaded recipe."""


@pytest.fixture
def capture(monkeypatch):
    """End ``train`` after it has loaded the recipe."""

    def end(recipe):
        raise Captured(recipe)

    monkeypatch.setattr("geoseg.training.train.check_recipe", end)


@pytest.fixture
def path(recipe, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(to_yaml(recipe), "utf-8")
    return path


def loaded_recipe(*args, **options):
    with pytest.raises(Captured) as caught:
        train(*args, **options)
    return caught.value.args[0]


def test_train_is_exported():
    assert geoseg.train is train


def test_recipe_is_used_unchanged(capture, recipe):
    assert loaded_recipe(recipe) is recipe


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_recipe_is_loaded_from_a_path(capture, recipe, path, kind):
    assert loaded_recipe(kind(path)).model_dump() == recipe.model_dump()


def test_recipe_is_loaded_by_name(capture):
    assert loaded_recipe("sample") == load_recipe("sample")
    with pytest.raises(ConfigError, match="sampel"):
        train("sampel")


def test_overrides_change_a_loaded_recipe(capture, recipe, path):
    expected = recipe.model_copy(
        update={"train": recipe.train.model_copy(update={"iterations": 2, "validate_every": 2})}
    )
    assert loaded_recipe(path, overrides=OVERRIDES).model_dump() == expected.model_dump()
    with pytest.raises(ConfigError, match="iteration"):
        train(path, overrides=["train.iteration=2"])


def test_overrides_of_a_recipe_object_are_refused(recipe, tmp_path):
    with pytest.raises(ConfigError, match="overrides apply to recipes loaded by path or name") as caught:
        train(recipe, overrides=OVERRIDES, runs=tmp_path / "runs")
    assert caught.value.hint == "change the values of the recipe instead"
    assert not (tmp_path / "runs").exists()


def test_unknown_keyword_is_a_type_error(recipe, tmp_path):
    with pytest.raises(TypeError, match="overrides_"):
        train(recipe, overrides_=OVERRIDES, runs=tmp_path / "runs")
    with pytest.raises(TypeError, match="positional"):
        train(recipe, OVERRIDES)


def test_result_of_a_path_with_overrides(path, recipe, tmp_path):
    result = train(path, overrides=OVERRIDES, runs=str(tmp_path / "runs"), name="town")
    assert isinstance(result, TrainingResult)
    assert result.run == tmp_path / "runs" / "town"
    assert result.path == result.run / geoseg.bundle.BEST_NAME
    assert result.bundle.card.recipe["train"]["iterations"] == 2
    assert load_recipe(result.run / RECIPE_NAME).train.iterations == 2


def test_same_run_of_a_path_is_not_trained_again_in_its_folder(path, tmp_path):
    runs = tmp_path / "runs"
    first, second = (train(path, overrides=OVERRIDES, runs=runs) for _ in range(2))
    assert [result.run.name for result in (first, second)] == ["tiny", "tiny-2"]
    assert first.path.read_bytes() != b""
    assert {name: value.tolist() for name, value in first.bundle.network.state_dict().items()} == {
        name: value.tolist() for name, value in second.bundle.network.state_dict().items()
    }


def changed(recipe: Recipe, name: str, value: object) -> Recipe:
    """Return the recipe with another value at a dotted name."""
    content = recipe.model_dump(mode="json")
    *sections, last = name.split(".")
    reduce(dict.__getitem__, sections, content)[last] = value
    return Recipe.model_validate(content)


def test_valid_recipe_is_accepted_without_preparing_data(recipe, tmp_path):
    check_recipe(changed(recipe, "data.prepared", str(tmp_path / "prepared")))
    assert not (tmp_path / "prepared").exists()


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("model.backbone", "resnet5", ConfigError, "unknown backbone 'resnet5'"),
        ("model.head", {"name": "fcn", "width": 8}, ConfigError, "width"),
        ("train.sampler", {"name": "random", "sizes": 3}, ConfigError, "sizes"),
        ("loss", [{"name": "dice", "smoothing": 1}], ConfigError, "smoothing"),
        ("loss", [{"name": "cross_entropy", "class_weights": [1.0]}], ConfigError, "1 class_weights for 3 classes"),
        ("train.monitor", "iou roads", ConfigError, "train.monitor: unknown score 'iou roads'"),
        ("data.root", "missing", DataError, "missing"),
        ("model.head", {"name": "fcn", "channels": 10**9}, ConfigError, "head fcn: channels: 1000000000 is not valid"),
        ("model.head", {"name": "deeplabv3plus", "channels": 65_000}, ConfigError, "million parameters, which need"),
        ("model.head", {"name": "fcn", "feature": 9}, ConfigError, "the head fcn cannot use feature 9"),
    ],
)
def test_invalid_value_is_refused(recipe, name, value, error, message):
    with pytest.raises(GeosegError, match=message) as caught:
        check_recipe(changed(recipe, name, value))
    assert isinstance(caught.value, error)
    assert caught.value.hint


def test_unavailable_device_is_refused(recipe, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="cuda"):
        check_recipe(changed(recipe, "train.device", "cuda"))


def test_missing_package_of_a_logger_is_refused(recipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"train\.loggers lists wandb"):
        check_recipe(changed(recipe, "train.loggers", ["wandb"]))
