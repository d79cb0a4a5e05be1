"""Resolve the recipe of an evaluation: by name, by a folder of prepared scenes, or by the model's training run."""

from collections.abc import Sequence
from pathlib import Path

from geoseg.config.load import load_recipe, parse_recipe
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import MANIFEST_NAME, PreparedDataset
from geoseg.errors import ConfigError, DataError
from geoseg.model_card import ModelCard

RECIPE_NAME = "recipe.yaml"
"""Name of the recipe in the folder of a run."""


def resolve_recipe(source: str | Path | Recipe, overrides: Sequence[str] = ()) -> Recipe:
    """Load a recipe, or make one for a folder of prepared scenes.

    Args:
        source: Name or path of a recipe, a folder of prepared scenes, or a loaded recipe.
        overrides: Changes as ``section.key=value``, for the name or path of a recipe only.

    Raises:
        ConfigError: The recipe is missing or invalid, or overrides cannot be applied.
        DataError: Another version of geoseg prepared the folder.
    """
    if isinstance(source, Recipe):
        if overrides:
            raise ConfigError("overrides apply to the file of a recipe", "change the loaded recipe instead")
        return source
    if not is_prepared_folder(source):
        return load_recipe(source, overrides)
    if overrides:
        raise ConfigError(f"{source} is a folder of prepared scenes, not a recipe", "omit --set")
    prepared = PreparedDataset.load(Path(source))
    if prepared is None:
        raise DataError(f"{source} was prepared by another version of geoseg", "prepare it again")
    return parse_recipe({"name": Path(source).name, "data": {**prepared.declaration, "root": str(source)}})


def training_recipe(card: ModelCard, model: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe that a model was trained with: that of its run folder, otherwise that of its card.

    Args:
        card: Card of the model.
        model: Path of the model file.
        overrides: Changes as ``section.key=value``, for a model in its run folder only.

    Raises:
        ConfigError: The model does not record a recipe, or the recipe cannot be changed.
    """
    of_run = Path(model).parent / RECIPE_NAME
    if of_run.is_file():
        return load_recipe(of_run, overrides)
    if not card.recipe:
        raise ConfigError(f"{model} does not record what it was trained on", "name a recipe: --recipe")
    if overrides:
        raise ConfigError(f"{model} is not in a run folder, so its recipe cannot be changed", "name a recipe: --recipe")
    return parse_recipe(card.recipe)


def is_prepared_folder(source: str | Path) -> bool:
    """Return True if a path is a folder of prepared scenes."""
    return (Path(source) / MANIFEST_NAME).is_file()
