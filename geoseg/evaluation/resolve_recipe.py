"""Resolve the recipe for an evaluation from a name, a folder of prepared scenes, or the model's training run."""

from collections.abc import Sequence
from pathlib import Path

from geoseg.config.load import load_recipe, parse_recipe
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import MANIFEST_NAME, PreparedDataset
from geoseg.errors import ConfigError, DataError
from geoseg.model_card import ModelCard

RECIPE_NAME = "recipe.yaml"
"""File name of the recipe in a run folder."""


def resolve_recipe(source: str | Path | Recipe, overrides: Sequence[str] = ()) -> Recipe:
    """Load a recipe, or create one for a folder of prepared scenes.

    Args:
        source: Name or path of a recipe, a folder of prepared scenes, or a loaded recipe.
        overrides: Changes to the recipe as ``section.key=value``; allowed only for the name or path of a recipe.

    Raises:
        ConfigError: If the recipe is missing or invalid, or the overrides cannot be applied.
        DataError: If the folder was prepared by a different version of geoseg.
    """
    if isinstance(source, Recipe):
        if overrides:
            raise ConfigError("overrides apply only to recipe files", "modify the loaded recipe instead")
        return source
    if not is_prepared_folder(source):
        return load_recipe(source, overrides)
    if overrides:
        raise ConfigError(f"{source} is a folder of prepared scenes, not a recipe", "omit --set")
    prepared = PreparedDataset.load(Path(source))
    if prepared is None:
        raise DataError(f"{source} was prepared by a different version of geoseg", "prepare it again")
    return parse_recipe({"name": Path(source).name, "data": {**prepared.declaration, "root": str(source)}})


def training_recipe(card: ModelCard, model: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe that a model was trained with, from its run folder or, failing that, from its card.

    Args:
        card: The model card.
        model: Path of the model file.
        overrides: Changes to the recipe as ``section.key=value``; allowed only for a model in its run folder.

    Raises:
        ConfigError: If the model does not record a recipe, or the recipe cannot be changed.
    """
    of_run = Path(model).parent / RECIPE_NAME
    if of_run.is_file():
        return load_recipe(of_run, overrides)
    if not card.recipe:
        raise ConfigError(f"{model} does not record what it was trained on", "specify a recipe with --recipe")
    if overrides:
        message = f"{model} is not in a run folder, so its recipe cannot be changed"
        raise ConfigError(message, "specify a recipe with --recipe")
    return parse_recipe(card.recipe)


def is_prepared_folder(source: str | Path) -> bool:
    """Return True if a path is a folder of prepared scenes."""
    return (Path(source) / MANIFEST_NAME).is_file()
