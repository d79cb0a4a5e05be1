"""Accumulate the counts of one scene, strip by strip, under every protocol that applies to it.

Boundary scores need rows from neighboring strips, so rows are kept until the rows below them have been read.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Geod

from geoseg.errors import ConfigError
from geoseg.evaluation.objects import ObjectCounter, ObjectCounts
from geoseg.evaluation.protocols import SCENES, Protocol
from geoseg.grid.crs import make_transformer
from geoseg.grid.grid import Grid, map_point
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.boundary import BoundaryCounts, Offsets, count_boundaries, offsets_within
from geoseg.metrics.calibration import Calibration
from geoseg.progress import Progress, silent

Mask = NDArray[np.uint8]


@dataclass
class BoundaryCounter:
    """Counter for the boundary pixels of one scene; takes full-width strips from top to bottom."""

    classes: int
    """Number of classes."""
    offsets: Offsets
    """Pixel offsets (row, col) within the tolerance."""
    counts: BoundaryCounts = field(init=False)
    """Counts of the finished rows."""

    def __post_init__(self) -> None:
        """Initialize the counter with no rows."""
        self.counts = BoundaryCounts.none(self.classes)
        # One more row than the tolerance, because whether a pixel is on a boundary depends on its neighbors.
        self._halo = int(self.offsets[:, 0].max()) + 1
        self._kept: tuple[Mask, Mask] | None = None
        self._counted_rows = 0  # among the kept rows

    def update(self, predicted: Mask, reference: Mask) -> None:
        """Add the next strip of class indices (row, col); 255 means no class."""
        if self._kept is not None:
            predicted, reference = (
                np.concatenate(pair) for pair in zip(self._kept, (predicted, reference), strict=True)
            )
        self._kept = predicted, reference
        self._count(len(predicted) - self._halo)

    def finish(self) -> BoundaryCounts:
        """Return the counts after the last strip."""
        if self._kept is not None:
            self._count(len(self._kept[0]))
        return self.counts

    def _count(self, stop: int) -> None:
        """Count the kept rows up to ``stop``, and drop the rows that are not needed for later rows."""
        if self._kept is None or stop <= self._counted_rows:
            return
        inside = (slice(self._counted_rows, stop), slice(None))
        self.counts += count_boundaries(*self._kept, self.offsets, self.classes, inside)
        first = max(stop - self._halo, 0)
        self._kept = self._kept[0][first:], self._kept[1][first:]
        self._counted_rows = stop - first


def pixel_size_m(grid: Grid, gsd: float | None, name: str) -> tuple[float, float]:
    """Return the height and width of a pixel on the ground, in meters, at the center of a grid.

    In a geographic CRS, pixels are usually taller than they are wide.

    Args:
        grid: Grid of the mask.
        gsd: Meters per pixel, for a grid without a CRS.
        name: File name used in the error message.

    Raises:
        ConfigError: If the grid has no CRS and ``gsd`` is None.
    """
    if grid.crs is None:
        if gsd is None:
            raise ConfigError(
                f"{name} has no CRS, so a tolerance in meters cannot be applied",
                "specify the meters per pixel with --gsd",
            )
        return gsd, gsd
    col, row = grid.width / 2, grid.height / 2
    points = [map_point(grid.transform, *pixel) for pixel in ((col, row), (col, row + 1), (col + 1, row))]
    x, y = zip(*points, strict=True)
    lon, lat = make_transformer(grid.crs, CRS("OGC:CRS84")).transform(x, y)
    geod = Geod(ellps="WGS84")
    height, width = (float(geod.inv(lon[0], lat[0], lon[i], lat[i])[2]) for i in (1, 2))
    return height, width


STRIP_ROWS = 1024
"""Number of rows per strip. Only one strip of the prediction and the reference is in memory at a time."""

WindowReader = Callable[[Window], NDArray[np.uint8]]
"""Function that reads a window (row, col) of class indices, or of confidence in steps of 1/254; 255 means no value."""


@dataclass(frozen=True)
class CountOptions:
    """Options that determine what is counted: protocols, boundaries and objects."""

    protocols: tuple[Protocol, ...] = (SCENES,)
    """Protocols to count under; the first one is the primary protocol."""
    boundary_m: float | None = None
    """Tolerance for boundary scores in meters; None to skip these scores."""
    objects: tuple[int, ...] = ()
    """Indices of the classes whose objects are counted."""

    def __post_init__(self) -> None:
        """Raise :class:`ConfigError` unless the tolerance is positive."""
        if self.boundary_m is not None and not self.boundary_m > 0:
            raise ConfigError(f"invalid boundary tolerance of {self.boundary_m:g} m", "use at least one pixel")

    def pixel_size_m(self, grid: Grid, gsd: float | None, name: str) -> tuple[float, float]:
        """Return the height and width of a pixel in meters, or (1, 1) if boundaries are not scored."""
        return (1.0, 1.0) if self.boundary_m is None else pixel_size_m(grid, gsd, name)


@dataclass(frozen=True)
class ScenePair:
    """The prediction and reference of one scene."""

    name: str
    """Name of the scene."""
    shape: tuple[int, int]
    """Height and width in pixels."""
    classes: int
    """Number of classes."""
    predicted: WindowReader
    """Predicted class indices; 255 where nothing was predicted."""
    reference: WindowReader
    """Reference class indices; 255 where not labeled."""
    other_references: Mapping[str, WindowReader] = field(default_factory=dict)
    """References with other kinds of labels, keyed by the label kind that protocols refer to."""
    confidence: WindowReader | None = None
    """Confidence in steps of 1/254; 255 means no value."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Groups that the scene belongs to, such as its domain."""
    pixel_m: tuple[float, float] = (1.0, 1.0)
    """Height and width of a pixel in meters; used only for boundary scores."""


@dataclass(frozen=True)
class SceneCounts:
    """Counts of one scene."""

    name: str
    """Name of the scene."""
    by_protocol: Mapping[str, ConfusionMatrix]
    """Pixel counts keyed by protocol name, for the protocols that include the scene."""
    boundary: BoundaryCounts | None = None
    """Boundary counts; None if boundaries are not scored."""
    objects: ObjectCounts | None = None
    """Object counts; None if objects are not counted."""
    calibration: Calibration | None = None
    """Accuracy as a function of confidence; None if there is no confidence."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Groups that the scene belongs to, such as its domain."""


def count_scene(scene: ScenePair, options: CountOptions, *, progress: Progress = silent) -> SceneCounts:
    """Compute the counts of a scene under all protocols in one pass.

    Args:
        scene: The prediction and reference.
        options: What to count.
        progress: Reports the number of finished strips.

    Returns:
        The counts. Only one strip is in memory at a time, and each strip is read once.
    """
    counter = _SceneCounter(scene, options)
    windows = list(strips(*scene.shape, STRIP_ROWS))
    with progress(len(windows), f"comparing {scene.name}") as task:
        for strip in windows:
            counter.update(strip)
            task.advance()
    return counter.finish()


class _SceneCounter:
    """All counters of one scene; each strip updates all of them."""

    def __init__(self, scene: ScenePair, options: CountOptions) -> None:
        self.scene = scene
        self.protocols = [p for p in options.protocols if p.includes_scene(scene.name, scene.groups)]
        self.matrices = {protocol.name: ConfusionMatrix(scene.classes) for protocol in self.protocols}
        self.windows = {protocol.name: protocol.windows(*scene.shape) for protocol in self.protocols}
        self.label_kinds = {protocol.labels for protocol in self.protocols} & set(scene.other_references)
        self.boundary = None
        if options.boundary_m is not None:
            self.boundary = BoundaryCounter(scene.classes, offsets_within(options.boundary_m, scene.pixel_m))
        self.objects = ObjectCounter(scene.classes, options.objects) if options.objects else None
        self.calibration = None if scene.confidence is None else Calibration()

    def update(self, strip: Window) -> None:
        predicted, reference = self.scene.predicted(strip), self.scene.reference(strip)
        self._update_matrices(strip, predicted, reference)
        if self.boundary is not None:
            self.boundary.update(predicted, reference)
        if self.objects is not None:
            self.objects.update(predicted, reference)
        if self.calibration is not None and self.scene.confidence is not None:
            is_scored = (reference != IGNORE_INDEX) & (predicted != IGNORE_INDEX)
            confidence = np.where(is_scored, self.scene.confidence(strip), np.uint8(IGNORE_INDEX))
            self.calibration.update(confidence, predicted == reference)

    def _update_matrices(self, strip: Window, predicted: NDArray[np.uint8], reference: NDArray[np.uint8]) -> None:
        references = {kind: self.scene.other_references[kind](strip) for kind in self.label_kinds if kind is not None}
        for protocol in self.protocols:
            labels = reference if protocol.labels is None else references.get(protocol.labels, reference)
            for part in _slices_in_strip(strip, self.windows[protocol.name]):
                self.matrices[protocol.name].update(predicted[part], labels[part])

    def finish(self) -> SceneCounts:
        return SceneCounts(
            self.scene.name,
            self.matrices,
            None if self.boundary is None else self.boundary.finish(),
            None if self.objects is None else self.objects.finish(),
            self.calibration,
            self.scene.groups,
        )


def _slices_in_strip(strip: Window, windows: list[Window]) -> Iterator[tuple[slice, slice]]:
    """Yield the part of each window that lies in the strip, as slices of the strip."""
    for window in windows:
        part = window.intersection(strip)
        if not part.is_empty:
            yield part.relative_to(strip).slices()
