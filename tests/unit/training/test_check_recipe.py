"""Tests of checking a recipe before data are prepared."""

import sys
from functools import reduce

import pytest

from geoseg.config.recipe import Recipe
from geoseg.errors import ConfigError, DataError, GeosegError
from geoseg.training.check_recipe import check_recipe


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
