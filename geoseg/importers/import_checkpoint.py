"""``import_zoo``: a published OpenMMLab checkpoint becomes a bundle, ready to predict with."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geoseg
from geoseg._files import check_writable
from geoseg.bundle import Bundle, ModelCard
from geoseg.config.recipe import PredictSection, Recipe, TrainSection
from geoseg.data.datasets import published_legend
from geoseg.errors import BundleError, ConfigError, OutputError
from geoseg.importers.openmmlab import ZooCheckpoint, load_checkpoint
from geoseg.importers.openmmlab.read_config import crop_in, is_bgr, scaling_in
from geoseg.legend import Legend, numbered
from geoseg.models.backbones.base import IMAGENET

SUFFIX = ".safetensors"
RGB = ("red", "green", "blue")


@dataclass(frozen=True)
class ImportedModel:
    """A bundle made of a checkpoint."""

    path: Path
    """Where it lies."""
    bundle: Bundle
    """The same, loaded."""
    notes: tuple[str, ...]
    """What was found, and what was assumed, one sentence each."""


def import_zoo(
    checkpoint: str | Path, output: str | Path, *, recipe: Recipe | None = None, overwrite: bool = False
) -> ImportedModel:
    """Writes the network in a checkpoint of mmsegmentation (0.x or 1.x) as a bundle.

    What the checkpoint says of itself counts most, then the ``recipe`` (output stride, multi-grid, align_corners,
    legend, bands, GSD, tile), then what is usual in the zoo. :class:`BundleError` for a checkpoint that is damaged,
    unsafe or another network, :class:`OutputError` if ``output`` cannot be written.
    """
    if Path(output).suffix != SUFFIX:
        raise OutputError(f"{output} does not end in {SUFFIX}", f"name the model like -o model{SUFFIX}")
    check_writable(output, overwrite)
    found = load_checkpoint(checkpoint, recipe.model if recipe else None)
    legend, legend_source = legend_of(found, recipe)
    bundle = Bundle(found.network, _card(found, legend, recipe, Path(checkpoint)), str(output))
    path = bundle.save(output)
    return ImportedModel(path, bundle, (*_notes(found, legend, legend_source), *_digest_notes(bundle.card)))


def legend_of(found: ZooCheckpoint, recipe: Recipe | None) -> tuple[Legend, str]:
    """The legend and, in words, where it comes from: checkpoint, recipe, or nowhere."""
    names, palette = found.file.class_names, found.file.palette
    if len(names) == found.classes:
        colours = palette if len(palette) == len(names) else [None] * len(names)
        return Legend.of(dict(zip(names, colours, strict=True))), "from the checkpoint"
    legend = _legend_in(recipe) if recipe else None
    if legend is None:
        return numbered(range(found.classes)), "numbered, as neither checkpoint nor recipe names them"
    if len(legend) != found.classes:
        raise ConfigError(
            f"the recipe's legend has {len(legend)} classes, the checkpoint {found.classes}",
            "give the recipe that the checkpoint was trained for",
        )
    return legend, "from the recipe"


def _legend_in(recipe: Recipe) -> Legend | None:
    """The published legend of a recipe's dataset, or ``data.legend``: names with colours, or names alone."""
    option = recipe.data.options.get("legend")
    if option is None:
        return published_legend(recipe.data.dataset)
    if not isinstance(option, Mapping | list | tuple):
        raise ConfigError(f"data.legend is {option!r}", "write class names, with or without colours")
    return Legend.of(option if isinstance(option, Mapping) else dict.fromkeys(option))


def _card(found: ZooCheckpoint, legend: Legend, recipe: Recipe | None, checkpoint: Path) -> ModelCard:
    bands = _bands(found, recipe)
    mean, std = _scaling(found)
    crop = crop_in(found.file.config) or (recipe.train if recipe else TrainSection()).crop
    predict = recipe.predict if recipe else _tiles_like(crop)
    return ModelCard(
        model=found.model,
        legend=legend,
        bands=bands,
        mean=mean,
        std=std,
        minimum=(0.0,) * len(bands),
        maximum=(255.0,) * len(bands),
        dtype="uint8",
        gsd=recipe.data.gsd if recipe else None,
        crop=crop,
        tile=predict.tile,
        halo=predict.halo,
        provenance=_provenance(found, checkpoint),
    )


def _tiles_like(crop: int) -> PredictSection:
    """Tiles as large as what the network was trained on, with the usual halo or an eighth."""
    return PredictSection(tile=max(crop, 32), halo=min(PredictSection().halo, crop // 8))


def _provenance(found: ZooCheckpoint, checkpoint: Path) -> dict[str, str]:
    with checkpoint.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "checkpoint": checkpoint.name,
        "sha256": sha256,
        **found.file.software,
        "settings": f"{found.settings} ({found.settings.source})",
        "geoseg": geoseg.__version__,
    }


def _bands(found: ZooCheckpoint, recipe: Recipe | None) -> tuple[str, ...]:
    """The recipe's band names, else red, green and blue in the order of the checkpoint's configuration."""
    usual = RGB[::-1] if is_bgr(found.file.config) else RGB
    named = tuple(recipe.data.bands) if recipe and recipe.data.bands else usual
    if len(named) != found.bands:
        raise ConfigError(
            f"the checkpoint's network takes {found.bands} bands, not {', '.join(named)}",
            "name them in a recipe's data.bands, in the order it was trained with",
        )
    return named


def _scaling(found: ZooCheckpoint) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per band from the checkpoint's configuration, else ImageNet's, as all of the zoo."""
    mean, std = scaling_in(found.file.config) or IMAGENET
    if len(mean) != found.bands:
        raise BundleError(
            f"the checkpoint does not say how its {found.bands} bands were scaled", "geoseg knows the zoo's three only"
        )
    return mean, std


def _notes(found: ZooCheckpoint, legend: Legend, legend_source: str) -> list[str]:
    model = found.model
    network = (
        f"{model.backbone.name} with {model.head.name} and {'an' if model.auxiliary_weight else 'no'} auxiliary head"
    )
    scaled = "from the checkpoint's own configuration" if scaling_in(found.file.config) else "assumed to be the zoo's"
    return [
        f"{network}, {found.bands} bands, {found.classes} classes",
        f"{found.settings}: {found.settings.source}",
        f"scaling {scaled}",
        f"classes {legend_source}: {', '.join(legend.names)}",
    ]


def _digest_notes(card: ModelCard) -> list[str]:
    """Whether the file is the one its name promises: the zoo's end in the first digits of their SHA-256."""
    promised = re.search(r"-([0-9a-f]{8})\.\w+$", card.provenance["checkpoint"])
    found = card.provenance["sha256"]
    if promised is None or found.startswith(promised[1]):
        return []
    note = (
        f"the file's SHA-256 begins with {found[:8]}, not with the {promised[1]} in its name: unless mmsegmentation 1.x "
        "published it, which writes the digits of another file, download it again"
    )
    return [note]
