"""Describe any file that geoseg can read or write. This module handles recipes and models without importing torch."""

import math
import os
from pathlib import Path

from geoseg._output_files import MODEL_SUFFIXES, RECIPE_SUFFIXES, VECTOR_SUFFIXES, path_exists
from geoseg.bundle import BEST_NAME, digest_file, read_card
from geoseg.config.load import is_shipped, load_recipe, to_yaml
from geoseg.errors import SceneError
from geoseg.file_info.describe_raster import describe_scene
from geoseg.file_info.info import ClassRow, Fact, FileInfo, gsd_text, make_fact, numbers_text
from geoseg.model_card import ModelCard
from geoseg.progress import Progress, silent
from geoseg.vector.io.require_file import require_file

CLASS_SCORE_PREFIX = "iou "
"""Prefix of the names of per-class scores in a model card; the class name follows."""


def describe(path: str | Path, *, progress: Progress = silent) -> FileInfo:
    """Describe a scene, mask, label raster, vector file, model or recipe.

    Args:
        path: A file, a run folder, or the name of a built-in recipe. The suffix determines the kind of file;
            files with other suffixes are opened as rasters.
        progress: Progress reporter for counting the pixels of a mask; each step is one window.

    Returns:
        The kind of file, its properties, and the classes with their pixel counts, polygon counts or scores.

    Raises:
        GeosegError: If the file does not exist or cannot be read.

    Example:
        >>> import geoseg
        >>> geoseg.describe("sample").kind
        'recipe'
    """
    source = os.fspath(path)
    suffix = Path(source).suffix.lower()
    if suffix in RECIPE_SUFFIXES or _is_recipe_name(source):
        return describe_recipe(source)
    if suffix in MODEL_SUFFIXES:
        return describe_model(source)
    if Path(source).is_dir():
        return _describe_folder(Path(source))
    if suffix in VECTOR_SUFFIXES:
        require_file(source)
        from geoseg.file_info.describe_vector import describe_layer  # noqa: PLC0415 (importing geopandas takes a second)

        return describe_layer(source)
    return describe_scene(source, progress=progress)


def describe_recipe(source: str) -> FileInfo:
    """Describe a recipe, including all defaults."""
    recipe = load_recipe(source)
    return FileInfo("recipe", source, (make_fact("recipe", recipe.model_dump(mode="json"), ""),), text=to_yaml(recipe))


def describe_model(source: str) -> FileInfo:
    """Describe a model based on its card; the weights are read only to compute the file digest."""
    card = read_card(source)
    facts = (*_network(card), *_input(card), *_outcome(card), make_fact("digest", digest_file(source)))
    return FileInfo("model", source, facts, _class_rows(card))


def _network(card: ModelCard) -> tuple[Fact, ...]:
    network = card.model
    return (
        make_fact("network", network.model_dump(mode="json"), f"{network.backbone.name} with {network.head.name}"),
        make_fact("output stride", network.output_stride),
    )


def _input(card: ModelCard) -> tuple[Fact, ...]:
    """Return the properties of the network's input."""
    return (
        make_fact("bands", list(card.bands), f"{len(card.bands)}: {', '.join(card.bands)}"),
        make_fact("pixel type", card.dtype),
        make_fact("mean", list(card.mean), f"{numbers_text(card.mean)} (subtracted, per band)"),
        make_fact("std", list(card.std), f"{numbers_text(card.std)} (divided by, per band)"),
        make_fact(
            "value range",
            [list(card.minimum), list(card.maximum)],
            f"{numbers_text(card.minimum)} to {numbers_text(card.maximum)}",
        ),
        make_fact("GSD", card.gsd, gsd_text(card.gsd)),
        make_fact("crop", card.crop, f"{card.crop} pixels in training"),
        make_fact("tile", [card.tile, card.halo], f"{card.tile} pixels in prediction, including a halo of {card.halo}"),
    )


def _outcome(card: ModelCard) -> tuple[Fact, ...]:
    """Return the overall scores, their protocol, the recipe, the data, and the provenance of the weights."""
    scores = {name: score for name, score in card.scores.items() if not name.startswith(CLASS_SCORE_PREFIX)}
    text = ", ".join(f"{name} {score:.4f}" for name, score in scores.items()) or "none recorded"
    return (
        make_fact("scores", {name: _finite(score) for name, score in scores.items()}, text),
        make_fact("protocol", card.protocol or None, card.protocol),
        make_fact("recipe", dict(card.recipe) or None, card.recipe.get("name", "")),
        make_fact("data", dict(card.data) or None, ", ".join(f"{name} {value}" for name, value in card.data.items())),
        *(make_fact(name, value) for name, value in card.provenance.items()),
    )


def _class_rows(card: ModelCard) -> tuple[ClassRow, ...]:
    """Return the model's classes with their scores."""
    iou = {e.name: card.scores.get(f"{CLASS_SCORE_PREFIX}{e.name}", math.nan) for e in card.legend.entries}
    return tuple(ClassRow(e.index, e.name, e.hex, iou=_finite(iou[e.name])) for e in card.legend.entries)


def _finite(score: float) -> float | None:
    """Return None for NaN, which JSON does not support."""
    return score if math.isfinite(score) else None


def _describe_folder(folder: Path) -> FileInfo:
    """Describe the model in a run folder."""
    if not (folder / BEST_NAME).is_file():
        if is_shipped(str(folder)):
            return describe_recipe(str(folder))
        raise SceneError(f"{folder} is a folder", "specify a file in it")
    return describe_model(str(folder / BEST_NAME))


def _is_recipe_name(source: str) -> bool:
    """Return True if a string can only be the name of a shipped recipe."""
    return not Path(source).suffix and "/" not in source and not path_exists(source)
