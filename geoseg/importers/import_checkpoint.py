"""Convert a published checkpoint to a bundle for prediction."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geoseg
from geoseg._output_files import check_writable
from geoseg.bundle import Bundle
from geoseg.config.recipe import PredictSection, Recipe, TrainSection
from geoseg.data.datasets import published_legend
from geoseg.errors import BundleError, ConfigError, OutputError
from geoseg.grid.tiling import MAX_TILE_SIDE
from geoseg.importers.openmmlab.read_config import is_bgr, read_crop, read_normalization
from geoseg.importers.openmmlab.read_name import NameEvidence, read_name
from geoseg.importers.openmmlab.require_checkpoint import require_checkpoint
from geoseg.legend import Legend, make_numbered_legend
from geoseg.model_card import ModelCard

if TYPE_CHECKING:
    from geoseg.importers.openmmlab.load_checkpoint import OpenMMLabCheckpoint

SUFFIX = ".safetensors"
RGB = ("red", "green", "blue")

BGR_ORDERS = (("blue", "green", "red"), ("green", "red", "nir"))
"""Bands of color and color-infrared images in the order used by OpenMMLab's decoder."""

PUBLISHED = {"potsdam", "vaihingen", "loveda", "isaid"}
"""Datasets that have the same name in geoseg and in OpenMMLab's file names."""

OTHER_BANDS = {"vaihingen": ("nir", "red", "green")}
"""Datasets whose bands are not red, green and blue."""


@dataclass(frozen=True)
class ImportedModel:
    """The result of an import."""

    path: Path
    """Path of the bundle."""
    bundle: Bundle
    """The bundle."""
    notes: tuple[str, ...]
    """Notes on detected and assumed settings, one sentence each."""


def import_checkpoint(
    checkpoint: str | Path, output: str | Path, *, recipe: Recipe | None = None, overwrite: bool = False
) -> ImportedModel:
    """Convert an mmsegmentation checkpoint (0.x or 1.x) to a bundle.

    Settings come from the checkpoint, then from the recipe, then from mmsegmentation's defaults.

    Args:
        checkpoint: Path of the .pth file.
        output: Path of the bundle, ending in ``.safetensors``.
        recipe: Recipe that supplies settings missing from the checkpoint: output stride, multi-grid, ``align_corners``,
            legend, bands, GSD and tile size.
        overwrite: Whether to replace an existing ``output``.

    Returns:
        The bundle, its path, and notes on detected and assumed settings.

    Raises:
        BundleError: If the checkpoint is corrupted or unsafe, or its network is not supported.
        ConfigError: If the recipe does not fit the checkpoint.
        OutputError: If ``output`` cannot be written.

    Example:
        >>> import_checkpoint("deeplabv3plus_r50-d8.pth", "potsdam.safetensors")  # doctest: +SKIP
    """
    if Path(output).suffix != SUFFIX:
        raise OutputError(f"{output} does not end in {SUFFIX}", f"change its extension: -o model{SUFFIX}")
    check_writable(output, overwrite)
    require_checkpoint(Path(checkpoint))
    from geoseg.importers.openmmlab.load_checkpoint import load_checkpoint  # imports torch and timm

    loaded = load_checkpoint(checkpoint, recipe.model if recipe else None)
    for name in filter(None, (Path(checkpoint).name, loaded.file.experiment)):
        _require_dataset(read_name(name), recipe)
    legend, legend_source = choose_legend(loaded, recipe)
    bundle = Bundle(loaded.network, _card(loaded, legend, recipe, Path(checkpoint)), str(output))
    path = bundle.save(output)
    return ImportedModel(path, bundle, (*_notes(loaded, legend, legend_source), *_digest_notes(bundle.card)))


def _require_dataset(evidence: NameEvidence, recipe: Recipe | None) -> None:
    """Check that the dataset and crop size of a recipe match those in the name of the checkpoint."""
    dataset = recipe.data.dataset if recipe else ""
    if recipe is None and evidence.dataset in OTHER_BANDS:
        raise BundleError(
            f"the name {evidence.name} says {evidence.dataset}, whose bands are {', '.join(OTHER_BANDS[evidence.dataset])}, "
            "but the import would use red, green, blue (assumed)",
            f"import with --recipe {evidence.dataset}, or with a recipe that sets data.bands",
        )
    if {dataset, evidence.dataset} <= PUBLISHED and dataset != evidence.dataset:
        raise ConfigError(
            f"the name {evidence.name} says {evidence.dataset}, but data.dataset of the recipe is {dataset}",
            f"import with --recipe {evidence.dataset}; rename the file if its name is wrong",
        )


def choose_legend(loaded: "OpenMMLabCheckpoint", recipe: Recipe | None) -> tuple[Legend, str]:
    """Return the legend and a description of its source: checkpoint, recipe, or numbered classes."""
    names, palette = loaded.file.class_names, loaded.file.palette
    if len(names) == loaded.classes:
        colours = palette if len(palette) == len(names) else [None] * len(names)
        return Legend.of(dict(zip(names, colours, strict=True))), "from the checkpoint"
    legend = _legend_in(recipe) if recipe else None
    if legend is None:
        return make_numbered_legend(
            range(loaded.classes)
        ), "numbered, because neither the checkpoint nor the recipe names them"
    if len(legend) != loaded.classes:
        raise ConfigError(
            f"the recipe's legend has {len(legend)} classes, but the checkpoint has {loaded.classes}",
            "use the recipe that matches the checkpoint",
        )
    return legend, "from the recipe"


def _legend_in(recipe: Recipe) -> Legend | None:
    """Return the published legend of a recipe's dataset, or ``data.legend`` (names with or without colors)."""
    option = recipe.data.options.get("legend")
    if option is None:
        return published_legend(recipe.data.dataset)
    if not isinstance(option, Mapping | list | tuple):
        raise ConfigError(f"invalid data.legend {option!r}", "write class names, with or without colors")
    return Legend.of(option if isinstance(option, Mapping) else dict.fromkeys(option))


def _card(loaded: "OpenMMLabCheckpoint", legend: Legend, recipe: Recipe | None, checkpoint: Path) -> ModelCard:
    bands = _bands(loaded, recipe)
    mean, std = _normalization(loaded)
    crop = _crop(loaded, recipe, checkpoint)
    if not 1 <= crop <= MAX_TILE_SIDE:
        raise BundleError(f"{checkpoint} states training crops of {crop} pixels", "download or copy it again")
    predict = recipe.predict if recipe else _tiles_for_crop(crop)
    return ModelCard(
        model=loaded.model,
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
        provenance=_provenance(loaded, checkpoint),
    )


def _crop(loaded: "OpenMMLabCheckpoint", recipe: Recipe | None, checkpoint: Path) -> int:
    """Return the side length of the training crops from the configuration, recipe, name or default.

    Raises:
        ConfigError: If the recipe conflicts with the name.
    """
    stated = read_crop(loaded.file.config)
    if stated is not None:
        return stated
    names = filter(None, (checkpoint.name, loaded.file.experiment))
    named = next((crop for name in names if (crop := read_name(name).crop)), None)
    if recipe is None or "crop" not in recipe.train.model_fields_set:
        return named or TrainSection().crop
    if named is not None and recipe.train.crop != named:
        raise ConfigError(
            f"the name of the checkpoint says crops of {named} pixels, but train.crop of the recipe is {recipe.train.crop}",
            f"set train.crop: {named} in the recipe; rename the file if its name is wrong",
        )
    return recipe.train.crop


def _tiles_for_crop(crop: int) -> PredictSection:
    """Return tiles of the same size as the training crops, with the default halo or an eighth of the crop size."""
    return PredictSection(tile=max(crop, 32), halo=min(PredictSection().halo, crop // 8))


def _provenance(loaded: "OpenMMLabCheckpoint", checkpoint: Path) -> dict[str, str]:
    with checkpoint.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "checkpoint": checkpoint.name,
        "sha256": sha256,
        **loaded.file.software,
        "settings": f"{loaded.settings} ({loaded.settings.source})",
        "geoseg": geoseg.__version__,
    }


def _bands(loaded: "OpenMMLabCheckpoint", recipe: Recipe | None) -> tuple[str, ...]:
    """Return the bands in the recipe, or else red, green and blue in the order of the checkpoint's configuration.

    Raises:
        ConfigError: If the number or order of the bands in the recipe differs from that in the configuration.
    """
    default = RGB[::-1] if is_bgr(loaded.file.config) else RGB
    named = tuple(recipe.data.bands) if recipe and recipe.data.bands else default
    required = next((order for order in BGR_ORDERS if set(order) == set(named)), named)
    if is_bgr(loaded.file.config) and named != required:
        raise ConfigError(
            f"data.bands of the recipe are {', '.join(named)}, but the network was trained on {', '.join(required)}: "
            "the configuration in the checkpoint has to_rgb=False",
            f"set data.bands: [{', '.join(required)}] in the recipe",
        )
    if len(named) != loaded.bands:
        raise ConfigError(
            f"the checkpoint's network expects {loaded.bands} bands, not {', '.join(named)}",
            "set data.bands in a recipe, in the order used in training",
        )
    return named


def _normalization(loaded: "OpenMMLabCheckpoint") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation per band in the checkpoint's configuration, or else those of ImageNet."""
    from geoseg.models.backbones.base import IMAGENET

    mean, std = read_normalization(loaded.file.config) or IMAGENET
    if len(mean) != loaded.bands:
        raise BundleError(
            f"the checkpoint has {loaded.bands} bands and no input normalization",
            "geoseg has a default only for three bands",
        )
    return mean, std


def _notes(loaded: "OpenMMLabCheckpoint", legend: Legend, legend_source: str) -> list[str]:
    model = loaded.model
    network = (
        f"{model.backbone.name} with {model.head.name} and {'an' if model.auxiliary_weight else 'no'} auxiliary head"
    )
    normalization = (
        "from the configuration in the checkpoint"
        if read_normalization(loaded.file.config)
        else "assumed: mmsegmentation's"
    )
    return [
        f"{network}, {loaded.bands} bands, {loaded.classes} classes",
        f"{loaded.settings}: {loaded.settings.source}",
        f"input normalization {normalization}",
        f"classes {legend_source}: {', '.join(legend.names)}",
    ]


def _digest_notes(card: ModelCard) -> list[str]:
    """Compare the SHA-256 of the file with the digits at the end of its name, as in OpenMMLab's naming convention."""
    expected = re.search(r"-([0-9a-f]{8})\.\w+$", card.provenance["checkpoint"])
    actual = card.provenance["sha256"]
    if expected is None or actual.startswith(expected[1]):
        return []
    note = (
        f"the SHA-256 of the file begins with {actual[:8]}, not with {expected[1]} as in its name: the download may be "
        "damaged. Names of mmsegmentation 1.x files can have the digits of a different file"
    )
    return [note]
