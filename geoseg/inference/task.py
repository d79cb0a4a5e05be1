"""A job: all that is settled about the prediction of one scene before a network runs. May be sent to other processes."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geoseg
from geoseg.bundle import ModelCard, digest
from geoseg.grid.grid import Grid
from geoseg.inference.compatibility import Plan, make_plan
from geoseg.inference.options import Options
from geoseg.inference.prediction_area import Area, area_of
from geoseg.inference.tiling_strategy import Method, make_method
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import IN_MEMORY, files_of

DATETIME_TAG = "TIFFTAG_DATETIME"
"""When the scene was taken (or made): the one tag of a scene that is also true of its mask."""


@dataclass(frozen=True)
class Job:
    """One scene, one model, and how they go together."""

    scene: Scene
    """Where pixels come from."""
    card: ModelCard
    """The model's."""
    source: str
    """The model's file; empty if it has none."""
    options: Options
    """What the user wants."""
    area: Area
    """What the mask covers."""
    plan: Plan
    """How the scene is fed to the network."""
    method: Method
    """How tiles become the mask."""

    @property
    def grid(self) -> Grid:
        """Where the mask lies."""
        return self.scene.grid.crop(self.area.window)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about this scene with this model, one sentence each."""
        return (*self.scene.notes, *self.plan.notes)

    @property
    def pixels(self) -> int:
        """About how many pixels the network is shown, all tiles together."""
        return self.method.tiles * self.plan.tile**2

    @property
    def tags(self) -> dict[str, str]:
        """What the mask says of where it comes from; what is unknown is left out."""
        tags = {
            "GEOSEG_MODEL": Path(self.source).name,
            "GEOSEG_MODEL_DIGEST": self._digest,
            "GEOSEG_VERSION": geoseg.__version__,
            "GEOSEG_SOURCE": Path(self.scene.path).name,
            "GEOSEG_TILE": str(self.plan.tile),
            **self.method.tags,
            "GEOSEG_TTA": "" if self.options.tta == "none" else self.options.tta,
            "GEOSEG_GSD": "" if self.plan.gsd is None else f"{self.plan.gsd:.6g}",
            DATETIME_TAG: self.scene.tags.get(DATETIME_TAG, ""),
        }
        return {key: value for key, value in tags.items() if value}

    @property
    def settings(self) -> dict[str, Any]:
        """All that the mask's pixels follow from, in JSON's types, to compare with those of another time."""
        path, aoi = self.scene.path, self.options.aoi
        return {
            "geoseg": geoseg.__version__,
            "model": self._digest,
            "scene": Path(path).name if path.startswith(IN_MEMORY) else path,
            "scene of": _last_change(*files_of(path)),
            **self.options.as_settings(),
            "aoi of": None if aoi is None else _last_change(str(aoi)),
        }

    @cached_property
    def _digest(self) -> str:
        return digest(self.source) if self.source and Path(self.source).is_file() else ""


def make_job(scene: Scene, card: ModelCard, options: Options, *, source: str) -> Job:
    """The job for a scene; what cannot work is refused: :class:`SceneError`, :class:`BundleError`, :class:`ConfigError`."""
    o = options
    area = area_of(scene.grid, bbox=o.bbox, bbox_crs=o.bbox_crs, aoi=o.aoi)
    plan = make_plan(
        scene, card, tile=o.tile, halo=o.halo, bands=o.bands, any_dtype=o.any_dtype, gsd=o.gsd, border=o.border
    )
    method = make_method(scene, plan, area, card, o.way)
    return Job(scene, card, source, options, area, plan, method)


def _last_change(*files: str) -> int | str | None:
    """When a file was changed, in nanoseconds; None for what is no file here. A digest for several."""
    times = {file: Path(file).stat().st_mtime_ns if Path(file).is_file() else None for file in files}
    return next(iter(times.values())) if len(times) == 1 else hashlib.sha256(repr(times).encode()).hexdigest()[:12]
