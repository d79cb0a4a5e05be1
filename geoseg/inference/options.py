"""Prediction options: names, types, defaults and checks. Importing this module imports neither torch nor GDAL."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError
from geoseg.grid.tiling import MAX_TILE_SIDE
from geoseg.models.hardware_options import ENGINES, PRECISIONS, EngineName, Precision, check_device_name

if TYPE_CHECKING:
    from geoseg.grid.grid import Bounds

BlendName = Literal["weighted", "crop"]
WindowName = Literal["cosine", "linear", "gaussian", "uniform"]
BorderName = Literal["mirror", "mean"]
ModeName = Literal["blended", "slide"]
TtaName = Literal["none", "flip", "d4", "ms+flip"]
OnReadError = Literal["stop", "skip"]

MEMORY_HINT = "use a smaller batch (--batch 1), smaller tiles (--tile 256), or another device (--device cpu)"

CHOICES: Mapping[str, tuple[str, ...]] = {
    "blend": get_args(BlendName),
    "window": get_args(WindowName),
    "border": get_args(BorderName),
    "mode": get_args(ModeName),
    "tta": get_args(TtaName),
    "on_read_error": get_args(OnReadError),
    "precision": PRECISIONS,
    "engine": ENGINES,
}
"""Allowed values of the options whose values are names."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Options that control how a scene is predicted. They can be pickled and sent to other processes.

    Raises:
        ConfigError: If a value is invalid, or two options contradict each other.
    """

    tile: int | None = None
    """Side length of a tile (the network's input) in pixels at the model's GSD; None for the model's default."""
    halo: int | None = None
    """Context around the core of each tile in pixels at the model's GSD; None for the model's default."""
    batch: int | None = None
    """Tiles per forward pass; None for 4 on CPUs, and on GPUs for the fastest number that fits in memory."""
    blend: BlendName = "weighted"
    """How overlapping tiles are blended: by a weighted average, or by cropping them to their cores
    (inference/tiled/blending.py)."""
    window: WindowName = "cosine"
    """Function by which the weights of averaged tiles decrease toward the edges of a tile."""
    border: BorderName = "mirror"
    """Input beyond the scene's borders: the mirrored scene, or the mean of the training data."""
    mode: ModeName = "blended"
    """``blended``, or ``slide`` for mmsegmentation's sliding-window inference: windows of ``tile`` pixels, averaged
    logits."""
    stride: int | None = None
    """Distance between windows with ``mode="slide"`` in pixels at the model's GSD; None for two thirds of a tile."""
    tta: TtaName = "none"
    """Test-time augmentation: variants over which probabilities are averaged. Blended mode uses variants of each tile;
    slide mode uses variants of the whole scene, as in mmsegmentation (inference/tta.py)."""
    bands: str | Sequence[str] | None = None
    """The scene's bands in the model's order, as names or 1-based numbers; None for the bands with the model's names."""
    any_dtype: bool = False
    """Accept a scene whose pixel type differs from that of the training data."""
    gsd: float | None = None
    """Meters per pixel of a scene without a CRS."""
    bbox: "Bounds | None" = None
    """Restrict the mask to a window: west, south, east, north in the scene's CRS or ``bbox_crs``."""
    bbox_crs: str | None = None
    """CRS of ``bbox``; None for the scene's CRS."""
    aoi: str | Path | None = None
    """Restrict the mask to the pixels inside the polygons of a vector file."""
    on_read_error: OnReadError = "stop"
    """What to do if the scene is damaged: stop with an error, or skip the damaged blocks, which become nodata."""
    device: str = "auto"
    """Device of the network. The scene is split across several devices if they are separated by commas
    (``cuda:0,cuda:1``), or with ``cuda:all``."""
    precision: Precision = "auto"
    """Floating-point type of the network; auto is bfloat16 on devices with fast bfloat16 support."""
    engine: EngineName = "auto"
    """Inference engine that runs the network: torch, openvino, or auto for the faster one."""

    def __post_init__(self) -> None:
        if self.bands is not None and not isinstance(self.bands, str):
            object.__setattr__(self, "bands", tuple(self.bands))
        if self.tile is not None and not 1 <= self.tile <= MAX_TILE_SIDE:
            raise ConfigError(
                f"tile must be between 1 and {MAX_TILE_SIDE} pixels, got {self.tile}", "use a smaller --tile"
            )
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"batch must be at least 1, got {self.batch}", "use --batch 1 or more")
        if self.gsd is not None and not (self.gsd > 0 and math.isfinite(self.gsd)):
            raise ConfigError(f"gsd must be a positive number of meters per pixel, got {self.gsd}", "use --gsd 0.3")
        for option, choices in CHOICES.items():
            value = getattr(self, option)
            if value not in choices:
                raise ConfigError(f"unknown {option} {value!r}", did_you_mean(value, choices))
        for device in self.device.split(","):
            if device.strip() != "cuda:all":
                check_device_name(device.strip())
        if self.mode == "slide":
            self._check_slide()
        elif self.stride is not None:
            raise ConfigError(f"stride {self.stride} requires mode slide", "add --mode slide, or leave out --stride")

    def _check_slide(self) -> None:
        if self.halo is not None:
            raise ConfigError("halo cannot be used with mode slide", "set the overlap with --stride")
        for option in ("blend", "window"):
            if getattr(self, option) != getattr(PredictOptions, option):
                raise ConfigError(
                    f"{option} {getattr(self, option)} cannot be used with mode slide, which averages windows",
                    f"leave out --{option} or --mode slide",
                )

    def to_settings(self) -> Mapping[str, Any]:
        """Convert the options to JSON types, to be stored with an unfinished prediction."""
        return asdict(self) | {
            "bands": list(self.bands) if isinstance(self.bands, tuple) else self.bands,
            "bbox": list(self.bbox) if self.bbox is not None else None,
            "aoi": str(self.aoi) if self.aoi is not None else None,
        }
