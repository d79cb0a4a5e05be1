"""A prediction task: everything that is determined for the prediction of one scene before the network runs."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geoseg
from geoseg._text import count
from geoseg.bundle import digest_file
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.inference.compatibility import InputPlan, make_input_plan
from geoseg.inference.options import PredictOptions
from geoseg.inference.prediction_area import PredictionArea, find_area
from geoseg.inference.predictor_cache import PredictorCache
from geoseg.inference.sliding.check_sliding import check_sliding, default_stride
from geoseg.model_card import ModelCard
from geoseg.raster.damage_tolerant import DamageTolerantScene
from geoseg.raster.memory_scene import open_memory_scene
from geoseg.raster.mosaic import open_mosaic
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import IN_MEMORY, list_vrt_files

if TYPE_CHECKING:
    from geoseg.inference.tiling_strategy import TilingStrategy

DATETIME_TAG = "TIFFTAG_DATETIME"
"""Tag with the date of the scene: the only tag of a scene that also applies to its mask."""

SceneInput = str | Path | Scene | Raster | Sequence[str | Path]
"""A scene: a file, an open scene, an in-memory raster, or files that are predicted together as a mosaic."""


@dataclass(frozen=True)
class PredictionTask:
    """A scene, a model, and how the model is applied to the scene. A task can be pickled and sent to other processes."""

    scene: Scene
    """The open scene."""
    card: ModelCard
    """The model card."""
    source: str
    """The model file; empty if there is none."""
    options: PredictOptions
    """The user's options."""
    area: PredictionArea
    """Area that the mask covers."""
    plan: InputPlan
    """How the network's input is read."""

    @cached_property
    def strategy(self) -> "TilingStrategy":
        """How the scene is tiled and how tiles are combined into the mask; the first access imports torch."""
        from geoseg.inference.tiling_strategy import make_strategy

        return make_strategy(self.scene, self.plan, self.area, self.card, self.options)

    @property
    def grid(self) -> Grid:
        """Grid of the mask."""
        return self.scene.grid.crop(self.area.window)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user about this scene with this model, one sentence each."""
        return (*self.scene.notes, *self.plan.notes, *self.area.notes)

    @property
    def input_pixels(self) -> int:
        """Approximate number of pixels that the network processes in all tiles."""
        return self.strategy.tiles * self.plan.tile**2

    @property
    def tags(self) -> dict[str, str]:
        """Metadata tags of the mask that record its origin; unknown values are omitted."""
        tags = {
            "GEOSEG_MODEL": Path(self.source).name,
            "GEOSEG_MODEL_DIGEST": self._digest,
            "GEOSEG_VERSION": geoseg.__version__,
            "GEOSEG_SOURCE": Path(self.scene.path).name,
            "GEOSEG_TILE": str(self.plan.tile),
            **self._tiling_tags,
            "GEOSEG_TTA": "" if self.options.tta == "none" else self.options.tta,
            "GEOSEG_GSD": "" if self.plan.gsd is None else f"{self.plan.gsd:.6g}",
            DATETIME_TAG: self.scene.tags.get(DATETIME_TAG, ""),
        }
        return {key: value for key, value in tags.items() if value}

    @property
    def _tiling_tags(self) -> dict[str, str]:
        options = self.options
        if options.mode == "slide":
            stride = default_stride(self.plan.tile) if options.stride is None else options.stride
            return {"GEOSEG_MODE": "slide", "GEOSEG_STRIDE": str(stride)}
        window = {"GEOSEG_WINDOW": options.window} if options.blend == "weighted" else {}
        return {"GEOSEG_HALO": str(self.plan.halo), "GEOSEG_BLEND": options.blend, **window}

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that determines the pixels of the mask, as JSON types; compared before a prediction is resumed."""
        path, aoi = self.scene.path, self.options.aoi
        return {
            "geoseg": geoseg.__version__,
            "model": self._digest,
            "scene": Path(path).name if path.startswith(IN_MEMORY) else path,
            "scene of": _modification_time(*list_vrt_files(path)),
            **self.options.to_settings(),
            "aoi of": None if aoi is None else _modification_time(str(aoi)),
        }

    @property
    def damage_notes(self) -> list[str]:
        """Notes about the blocks of the scene that could not be read so far."""
        if not isinstance(self.scene, DamageTolerantScene) or not self.scene.damaged:
            return []
        damaged = sorted(self.scene.damaged)
        blocks, verb = count(len(damaged), "block"), "is" if len(damaged) == 1 else "are"
        return [f"{blocks} could not be read and {verb} nodata: {_list_windows(damaged)}"]

    @cached_property
    def _digest(self) -> str:
        return digest_file(self.source) if self.source and Path(self.source).is_file() else ""


def make_task(scene: Scene, card: ModelCard, options: PredictOptions, *, source: str) -> PredictionTask:
    """Plan the prediction of an open scene.

    Args:
        scene: The scene.
        card: The model card.
        options: The user's options.
        source: The model file; empty if there is none.

    Raises:
        SceneError: If the requested area is outside the scene.
        BundleError: If the scene does not match the model.
        ConfigError: If the options are invalid for the scene and the model.
    """
    plan = make_input_plan(
        scene,
        card,
        tile=options.tile,
        halo=options.halo,
        bands=options.bands,
        any_dtype=options.any_dtype,
        gsd=options.gsd,
        border=options.border,
    )
    if options.mode == "slide":
        check_sliding(plan, stride=options.stride, tta=options.tta)
    area = find_area(scene.grid, bbox=options.bbox, bbox_crs=options.bbox_crs, aoi=options.aoi)
    return PredictionTask(scene, card, source, options, area, plan)


@contextlib.contextmanager
def open_task(scene: SceneInput, model: PredictorCache, options: PredictOptions) -> Iterator[PredictionTask]:
    """Open a scene and plan its prediction; close all files at the end of the ``with`` block.

    Args:
        scene: The scene, or several scenes that form a mosaic.
        model: The model; its network is not loaded.
        options: The user's options.

    Raises:
        SceneError: If the scene cannot be read, or the scenes are not compatible.
    """
    with contextlib.ExitStack() as stack:
        if isinstance(scene, Scene):
            opened = scene
        elif isinstance(scene, Raster):
            opened = stack.enter_context(open_memory_scene(scene))
        elif isinstance(scene, str | os.PathLike):
            opened = stack.enter_context(Scene.open(scene))
        else:
            opened = stack.enter_context(open_mosaic(scene))
        if options.on_read_error == "skip":
            opened = stack.enter_context(opened.reopen(DamageTolerantScene))
        yield make_task(opened, model.card, options, source=model.source)


def _modification_time(*files: str) -> int | str | None:
    """Return the modification time of a file in nanoseconds, a digest for several files, or None if there is no file."""
    times = {file: Path(file).stat().st_mtime_ns if Path(file).is_file() else None for file in files}
    return next(iter(times.values())) if len(times) == 1 else hashlib.sha256(repr(times).encode()).hexdigest()[:12]


def _list_windows(windows: list[Window], limit: int = 3) -> str:
    listed = "; ".join(
        f"rows {w.row} to {w.row_stop - 1}, columns {w.col} to {w.col_stop - 1}" for w in windows[:limit]
    )
    return listed + ("; ..." if len(windows) > limit else "")
