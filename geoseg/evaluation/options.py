"""Options for evaluation: what is counted, how references are read, and how a model predicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geoseg.evaluation.accumulate_counts import CountOptions
from geoseg.evaluation.protocols import Protocol
from geoseg.inference.options import ModeName, PredictOptions, TtaName
from geoseg.legend import Legend
from geoseg.models.hardware_options import EngineName, Precision


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of :func:`geoseg.evaluate` and :func:`geoseg.report`, with their defaults.

    Raises:
        ConfigError: An option of prediction is invalid.
    """

    protocols: Sequence[str] = ()
    """Names of protocols to count by, the primary one first; empty for all protocols of the dataset."""
    boundary_m: float | None = None
    """Tolerance of boundary scores in meters; None to skip them."""
    objects: Sequence[str] = ()
    """Names of the classes whose objects are counted."""
    column: str | None = None
    """Attribute of the reference polygons that holds their class."""
    polygon_class: str | None = None
    """Class of all reference polygons; None for the last class of the legend."""
    background: str | None = None
    """Class outside the reference polygons; None to ignore pixels there."""
    priority: Sequence[str] = ()
    """Names of classes, the one on top first, where reference polygons overlap; others lie below in the layer's order."""
    layer: str | None = None
    """Layer of a vector file with several."""
    ignore: Sequence[str] = ()
    """Values of masks and reference rasters that mean "no class", colors (``#rrggbb``) of reference rasters, and attribute
    values of polygons; ``none`` for no value at all, not even a declared nodata."""
    resample: bool = False
    """Resample a reference raster on another grid by nearest neighbor instead of rejecting it."""
    gsd: float | None = PredictOptions.gsd
    """Meters per pixel of scenes and masks without CRS."""
    tile: int | None = PredictOptions.tile
    """Side of a tile in pixels at the model's GSD; None for the model's."""
    halo: int | None = PredictOptions.halo
    """Overlap around each tile's core in pixels; None for the model's."""
    batch: int | None = PredictOptions.batch
    """Tiles per forward pass; None to choose it."""
    mode: ModeName = PredictOptions.mode
    """``blended``, or ``slide`` for the sliding-window inference of mmsegmentation."""
    stride: int | None = PredictOptions.stride
    """Step between windows with ``mode="slide"``, pixels; None for two thirds of a tile."""
    tta: TtaName = PredictOptions.tta
    """Test-time augmentation: none, flip, d4 or ms+flip."""
    bands: str | Sequence[str] | None = PredictOptions.bands
    """Bands of the scene in the model's order, by name or number from 1; None to match them by name."""
    device: str = PredictOptions.device
    """Device of the network: auto, cpu, cuda or mps."""
    precision: Precision = "float32"
    """Arithmetic of the network. float32 by default, so that scores do not depend on the device."""
    engine: EngineName = PredictOptions.engine
    """Inference engine: auto, torch or openvino."""

    def __post_init__(self) -> None:
        PredictOptions(**self.predict_options())

    @property
    def has_polygon_options(self) -> bool:
        """True if any option is set that applies to reference polygons only."""
        return any((self.column, self.polygon_class, self.background, self.priority, self.layer))

    @property
    def has_reference_options(self) -> bool:
        """True if any option is set that applies to reference files only."""
        return self.has_polygon_options or bool(self.ignore) or self.resample

    @property
    def has_prediction_options(self) -> bool:
        """True if any option is set that changes how a model predicts."""
        names = ("tile", "halo", "batch", "mode", "stride", "tta", "bands", "precision", "engine")
        return any(getattr(self, name) != getattr(DEFAULTS, name) for name in names)

    def count_options(self, legend: Legend, protocols: Sequence[Protocol]) -> CountOptions:
        """Resolve class names by a legend.

        Args:
            legend: Classes of the evaluated scenes.
            protocols: Protocols to count by.

        Raises:
            ConfigError: A class of ``objects`` is not in the legend, or ``boundary_m`` is not positive.
        """
        return CountOptions(tuple(protocols), self.boundary_m, tuple(legend.index_of(name) for name in self.objects))

    def predict_options(self) -> dict[str, Any]:
        """Return the keyword arguments of :func:`geoseg.predict`."""
        names = ("tile", "halo", "batch", "mode", "stride", "tta", "bands", "gsd", "device", "precision", "engine")
        return {name: getattr(self, name) for name in names}


DEFAULTS = EvaluationOptions()
"""The default of every option."""
