"""Says what any file geoseg knows is: recipe, model, scene, mask, label raster or polygons. Loads no torch."""

import math
import os
from pathlib import Path

from geoseg._files import VECTOR_SUFFIXES
from geoseg.bundle import BEST_NAME, ModelCard, digest, read_card
from geoseg.config.load import load_recipe, to_yaml
from geoseg.describe.describe_raster import describe_scene
from geoseg.describe.summary import ClassRow, Fact, Summary, fact, metres_per_pixel, numbers
from geoseg.errors import SceneError
from geoseg.progress import Progress, silent

RECIPE_SUFFIXES = {".yaml", ".yml"}
MODEL_SUFFIXES = {".safetensors"}
CLASS_SCORE = "iou "
"""How the scores of single classes begin in a model card; the class's name follows."""


def describe(path: str | Path, *, progress: Progress = silent) -> Summary:
    """What the file is and what it holds; also takes the name of a shipped recipe.

    The suffix decides what a file is taken for; everything unknown is opened as a raster.
    """
    source = os.fspath(path)
    suffix = Path(source).suffix.lower()
    if suffix in RECIPE_SUFFIXES or _looks_like_a_name(source):
        return describe_recipe(source)
    if suffix in MODEL_SUFFIXES:
        return describe_model(source)
    if Path(source).is_dir():
        return _describe_folder(Path(source))
    if suffix in VECTOR_SUFFIXES:
        from geoseg.describe.describe_vector import describe_layer  # noqa: PLC0415 (geopandas takes a second)

        return describe_layer(source)
    return describe_scene(source, progress=progress)


def describe_recipe(source: str) -> Summary:
    """The whole recipe, defaults included."""
    recipe = load_recipe(source)
    return Summary("recipe", source, (fact("recipe", recipe.model_dump(mode="json"), ""),), text=to_yaml(recipe))


def describe_model(source: str) -> Summary:
    """What a bundle's card says; the weights are not read, but for the digest of the file."""
    card = read_card(source)
    facts = (*_network(card), *_input(card), *_outcome(card), fact("digest", digest(source)))
    return Summary("model", source, facts, _class_rows(card))


def _network(card: ModelCard) -> tuple[Fact, ...]:
    network = card.model
    return (
        fact("network", network.model_dump(mode="json"), f"{network.backbone.name} with {network.head.name}"),
        fact("output stride", network.output_stride),
    )


def _input(card: ModelCard) -> tuple[Fact, ...]:
    """What the network wants to see."""
    return (
        fact("bands", list(card.bands), f"{len(card.bands)}: {', '.join(card.bands)}"),
        fact("pixel type", card.dtype),
        fact("mean", list(card.mean), f"{numbers(card.mean)} (subtracted, per band)"),
        fact("std", list(card.std), f"{numbers(card.std)} (divided by, per band)"),
        fact(
            "value range",
            [list(card.minimum), list(card.maximum)],
            f"{numbers(card.minimum)} to {numbers(card.maximum)}",
        ),
        fact("GSD", card.gsd, metres_per_pixel(card.gsd)),
        fact("crop", card.crop, f"{card.crop} pixels in training"),
        fact("tile", [card.tile, card.halo], f"{card.tile} pixels in prediction, of which a halo of {card.halo}"),
    )


def _outcome(card: ModelCard) -> tuple[Fact, ...]:
    """Scores of all classes together with how they were counted, and where the weights come from."""
    scores = {name: score for name, score in card.scores.items() if not name.startswith(CLASS_SCORE)}
    text = ", ".join(f"{name} {score:.4f}" for name, score in scores.items()) or "none recorded"
    return (
        fact("scores", {name: _finite(score) for name, score in scores.items()}, text),
        fact("protocol", card.protocol or None, card.protocol),
        fact("recipe", dict(card.recipe) or None, card.recipe.get("name", "")),
        fact("data", dict(card.data) or None, ", ".join(f"{name} {value}" for name, value in card.data.items())),
        *(fact(name, value) for name, value in card.provenance.items()),
    )


def _class_rows(card: ModelCard) -> tuple[ClassRow, ...]:
    """The model's classes with their scores."""
    iou = {e.name: card.scores.get(f"{CLASS_SCORE}{e.name}", math.nan) for e in card.legend.entries}
    return tuple(ClassRow(e.index, e.name, e.hex, iou=_finite(iou[e.name])) for e in card.legend.entries)


def _finite(score: float) -> float | None:
    """JSON has no NaN."""
    return score if math.isfinite(score) else None


def _describe_folder(folder: Path) -> Summary:
    """The model in a run's folder."""
    if not (folder / BEST_NAME).is_file():
        raise SceneError(f"{folder} is a folder", "name one file in it")
    return describe_model(str(folder / BEST_NAME))


def _looks_like_a_name(source: str) -> bool:
    """True for a word that can only be the name of a shipped recipe."""
    return not Path(source).suffix and "/" not in source and not Path(source).exists()
