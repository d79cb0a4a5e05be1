"""The options of a prediction, in one place: what they mean, and what they are unless somebody says otherwise."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from geoseg.errors import ConfigError
from geoseg.grid.grid import Bounds
from geoseg.inference.tiling_strategy import Way
from geoseg.models.device import Precision
from geoseg.models.engines.select import EngineName


@dataclass(frozen=True)
class Options:
    """How a scene is predicted; all have a usual value. May be sent to other processes."""

    tile: int | None = None
    """Side of what the network sees at once, pixels at the model's GSD; None for the model's."""
    halo: int | None = None
    """Context around each tile's core, pixels at the model's GSD; None for the model's."""
    batch: int | None = None
    """Tiles per forward pass; None for 4 on CPUs, and on GPUs for as many as fit."""
    blend: str = "weighted"
    """How overlapping tiles are joined (inference/blend.py): weighted or crop."""
    window: str = "cosine"
    """How the weights of averaged tiles fall towards their edges: cosine, linear, gaussian or uniform."""
    border: Literal["mirror", "mean"] = "mirror"
    """What the network sees beyond the scene's borders: the scene mirrored, or the mean colour."""
    mode: str = "blended"
    """``blended``, or ``slide`` for mmsegmentation's slide inference: windows of ``tile``, logits averaged."""
    stride: int | None = None
    """From one window to the next with ``mode="slide"``, pixels; None for two thirds of a tile."""
    tta: str = "none"
    """Over which variants probabilities are averaged: none, flip, d4 or ms+flip. In blended mode those of each tile, in
    slide mode those of the whole scene, as mmsegmentation does (inference/sliding.py)."""
    bands: str | tuple[str, ...] | None = None
    """The scene's bands in the model's order, names or numbers from 1; None for those of the model's names."""
    any_dtype: bool = False
    """Take a scene of another pixel type than the model learnt from."""
    gsd: float | None = None
    """Metres per pixel of a scene without CRS."""
    bbox: Bounds | None = None
    """Limits the mask to a window: west, south, east, north in the scene's CRS or ``bbox_crs``."""
    bbox_crs: str | None = None
    """The CRS of ``bbox``; None for the scene's."""
    aoi: str | Path | None = None
    """Limits the mask to the pixels inside the polygons of a vector file."""
    on_read_error: Literal["stop", "skip"] = "stop"
    """What happens where the scene is damaged: stop with an error, or skip those blocks, which become nodata."""
    device: str = "auto"
    """Where the network runs; several with commas between them (``cuda:0,cuda:1``, or ``cuda:all``) share the scene."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bfloat16 where the device is fast in it."""
    engine: EngineName = "auto"
    """What runs the network: torch, openvino, or the faster one."""

    def __post_init__(self) -> None:
        """:class:`ConfigError` if options make no sense, whatever the scene."""
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"a batch of {self.batch} tiles makes no progress", "take --batch 1 or more")
        if self.on_read_error not in ("stop", "skip"):
            raise ConfigError(f"on_read_error is stop or skip, not {self.on_read_error!r}")
        if self.border not in ("mirror", "mean"):
            raise ConfigError(f"border is mirror or mean, not {self.border!r}")
        self.way.check(self.halo)

    @property
    def way(self) -> Way:
        """How tiles become a mask."""
        return Way(self.mode, self.blend, self.window, self.tta, self.stride)

    @property
    def devices(self) -> list[str]:
        """The devices that share the scene; :class:`ConfigError` if ``cuda:all`` finds none."""
        names = [name.strip() for name in self.device.split(",")]
        if "cuda:all" not in names:
            return names
        count = torch.cuda.device_count()
        if count == 0:
            raise ConfigError("there is no GPU here", "take --device cpu")
        return [f"cuda:{number}" for number in range(count)]

    @classmethod
    def of(cls, *, bands: str | Iterable[str] | None = None, **options: Any) -> "Options":
        """The options; ``bands`` may be any iterable of names."""
        return cls(bands=bands if bands is None or isinstance(bands, str) else tuple(bands), **options)

    def as_settings(self) -> Mapping[str, Any]:
        """The same in JSON's types."""
        plain = asdict(self)
        return plain | {
            "bands": list(self.bands) if isinstance(self.bands, tuple) else self.bands,
            "bbox": list(self.bbox) if self.bbox is not None else None,
            "aoi": str(self.aoi) if self.aoi is not None else None,
        }
