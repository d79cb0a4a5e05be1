"""Datasets as users name them for judging: a recipe, or a folder of prepared scenes."""

from collections.abc import Sequence
from pathlib import Path

from geoseg.config.load import load_recipe, recipe_from
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import MANIFEST, Prepared
from geoseg.errors import ConfigError, DataError


def recipe_of(word: str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of that name or path, or one whose dataset is the prepared folder of that path."""
    if not (Path(word) / MANIFEST).is_file():
        return load_recipe(word, overrides)
    if overrides:
        raise ConfigError(f"{word} is a folder of prepared scenes, not a recipe", "leave --set out")
    prepared = Prepared.load(Path(word))
    if prepared is None:
        raise DataError(f"{word} was prepared by another version of geoseg", "prepare it again")
    return recipe_from({"name": Path(word).name, "data": {**prepared.declaration, "root": word}})
