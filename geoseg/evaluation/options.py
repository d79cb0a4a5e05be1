"""Options for evaluation: what is counted, how references are read and how a model predicts."""

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
        ConfigError: If a prediction option is invalid.
    """

    protocols: Sequence[str] = ()
    """Names of the protocols to use, the primary one first; empty for all protocols of the dataset."""
    boundary_m: float | None = None
    """Tolerance for boundary scores in meters; None to skip these scores."""
    objects: Sequence[str] = ()
    """Names of the classes whose objects are counted."""
    column: str | None = None
    """Attribute of the reference polygons that contains their class."""
    polygon_class: str | None = None
    """Class of all reference polygons; None for the last class of the legend."""
    background: str | None = None
    """Class of pixels outside the reference polygons; None to ignore these pixels."""
    priority: Sequence[str] = ()
    """Names of classes in stacking order, topmost first, for overlapping reference polygons. Polygons of other classes
    lie below these, in layer order."""
    layer: str | None = None
    """Layer to read from a vector file with several layers."""
    ignore: Sequence[str] = ()
    """Pixel values of masks and reference rasters that mean "no class", colors (``#rrggbb``) of reference rasters, and
    attribute values of polygons. ``none`` means that no value is ignored, not even a declared nodata value."""
    resample: bool = False
    """Resample a reference raster that has a different grid (nearest neighbor) instead of rejecting it."""
    gsd: float | None = PredictOptions.gsd
    """Meters per pixel, for scenes and masks without a CRS."""
    tile: int | None = PredictOptions.tile
    """Side length of a tile in pixels at the model's GSD; None for the value stored in the model."""
    halo: int | None = PredictOptions.halo
    """Overlap around each tile's core in pixels; None for the value stored in the model."""
    batch: int | None = PredictOptions.batch
    """Tiles per forward pass; None to choose it automatically."""
    mode: ModeName = PredictOptions.mode
    """``blended``, or ``slide`` for the sliding-window inference of mmsegmentation."""
    stride: int | None = PredictOptions.stride
    """Step between windows in pixels, for ``mode="slide"``; None for two thirds of a tile."""
    tta: TtaName = PredictOptions.tta
    """Test-time augmentation: none, flip, d4 or ms+flip."""
    bands: str | Sequence[str] | None = PredictOptions.bands
    """Bands of the scene in the model's order, by name or 1-based number; None to match them by name."""
    device: str = PredictOptions.device
    """Device to run the network on: auto, cpu, cuda or mps."""
    precision: Precision = "float32"
    """Precision of the network; by default float32, so that scores do not depend on the device."""
    engine: EngineName = PredictOptions.engine
    """Inference engine: auto, torch or openvino."""

    def __post_init__(self) -> None:
        PredictOptions(**self.predict_options())

    @property
    def has_polygon_options(self) -> bool:
        """True if any option is set that applies only to reference polygons."""
        return any((self.column, self.polygon_class, self.background, self.priority, self.layer))

    @property
    def has_reference_options(self) -> bool:
        """True if any option is set that applies only to reference files."""
        return self.has_polygon_options or bool(self.ignore) or self.resample

    @property
    def has_prediction_options(self) -> bool:
        """True if any option is set that affects how a model predicts."""
        names = ("tile", "halo", "batch", "mode", "stride", "tta", "bands", "precision", "engine")
        return any(getattr(self, name) != getattr(DEFAULTS, name) for name in names)

    def count_options(self, legend: Legend, protocols: Sequence[Protocol]) -> CountOptions:
        """Return the counting options, with class names resolved to the indices of a legend.

        Args:
            legend: Classes of the evaluated scenes.
            protocols: Protocols to count under.

        Raises:
            ConfigError: If a class in ``objects`` is not in the legend, or ``boundary_m`` is not positive.
        """
        return CountOptions(tuple(protocols), self.boundary_m, tuple(legend.index_of(name) for name in self.objects))

    def predict_options(self) -> dict[str, Any]:
        """Return the keyword arguments of :func:`geoseg.predict`."""
        names = ("tile", "halo", "batch", "mode", "stride", "tta", "bands", "gsd", "device", "precision", "engine")
        return {name: getattr(self, name) for name in names}


DEFAULTS = EvaluationOptions()
"""Default values of all options."""
