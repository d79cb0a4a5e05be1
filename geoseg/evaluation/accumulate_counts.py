"""One pass over a scene, strip by strip: everything that is counted, under every protocol that applies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError
from geoseg.evaluation.boundary_counter import BoundaryCounter, pixel_metres
from geoseg.evaluation.objects import ObjectCounter, ObjectCounts
from geoseg.evaluation.protocols import SCENES, Protocol
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.boundary import BoundaryCounts, offsets_within
from geoseg.metrics.calibration import Calibration
from geoseg.progress import Progress, silent

STRIP_ROWS = 1024
"""Rows that are compared at once."""

Reader = Callable[[Window], NDArray[np.uint8]]
"""Pixels (row, col) of a window inside a scene: class indices with 255 for none, or steps of confidence."""


@dataclass(frozen=True)
class Wishes:
    """What is counted."""

    protocols: tuple[Protocol, ...] = (SCENES,)
    """The first is the one whose numbers stand on top."""
    boundary_m: float | None = None
    """Tolerance of borders, metres; None: they are not looked at."""
    objects: tuple[int, ...] = ()
    """Indices of the classes whose objects are counted."""

    @classmethod
    def of(
        cls, legend: Legend, protocols: Sequence[Protocol], boundary_m: float | None, objects: Sequence[str]
    ) -> Self:
        """Wishes as users have them; :class:`ConfigError` for a class nobody knows, and for a tolerance below 0."""
        if boundary_m is not None and not boundary_m > 0:
            raise ConfigError(f"a tolerance of {boundary_m:g} m meets nothing", "take one of a pixel or more")
        return cls(tuple(protocols), boundary_m, tuple(legend.index_of(name) for name in objects))

    def pixel_m(self, grid: Grid, gsd: float | None, name: str) -> tuple[float, float]:
        """Height and width of a pixel in metres, if borders want to know; see :func:`pixel_metres`."""
        return (1.0, 1.0) if self.boundary_m is None else pixel_metres(grid, gsd, name)


@dataclass(frozen=True)
class Tally:
    """What was counted of one scene, or of several together."""

    counts: Mapping[str, ConfusionMatrix]
    """By name of the protocol; only of those the scene belongs to."""
    boundary: BoundaryCounts | None = None
    objects: ObjectCounts | None = None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class Judged:
    """One scene to be counted: what was predicted, and what is right."""

    name: str
    """The scene's."""
    shape: tuple[int, int]
    """Height and width."""
    classes: int
    """Number of classes."""
    predicted: Reader
    """Class indices, 255 where nothing was predicted."""
    reference: Reader
    """Class indices, 255 where not labelled."""
    others: Mapping[str, Reader] = field(default_factory=dict)
    """References of other kinds, by the kind that protocols ask for."""
    confidence: Reader | None = None
    """Confidence in steps of 1/254, 255 for none."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """What the scene shares with others: its domain."""
    pixel_m: tuple[float, float] = (1.0, 1.0)
    """Height and width of a pixel, metres; only borders need it."""


def count(scene: Judged, wishes: Wishes, *, progress: Progress = silent) -> Tally:
    """Counts a whole scene; a strip of it is in memory at a time, and each file is read once."""
    kept = [protocol for protocol in wishes.protocols if protocol.takes(scene.name, scene.groups)]
    counts = {protocol.name: ConfusionMatrix(scene.classes) for protocol in kept}
    windows = {protocol.name: protocol.windows(*scene.shape) for protocol in kept}
    border = None
    if wishes.boundary_m is not None:
        border = BoundaryCounter(scene.classes, offsets_within(wishes.boundary_m, scene.pixel_m))
    things = ObjectCounter(scene.classes, wishes.objects) if wishes.objects else None
    calibration = None if scene.confidence is None else Calibration()
    wanted = {protocol.labels for protocol in kept} & set(scene.others)
    strips_of_scene = list(strips(*scene.shape, STRIP_ROWS))
    with progress(len(strips_of_scene), f"comparing {scene.name}") as task:
        for strip in strips_of_scene:
            predicted, reference = scene.predicted(strip), scene.reference(strip)
            others = {kind: scene.others[kind](strip) for kind in wanted if kind is not None}
            for protocol in kept:
                right = reference if protocol.labels is None else others.get(protocol.labels, reference)
                for part in _parts(strip, windows[protocol.name]):
                    counts[protocol.name].update(predicted[part], right[part])
            if border is not None:
                border.update(predicted, reference)
            if things is not None:
                things.update(predicted, reference)
            if calibration is not None and scene.confidence is not None:
                _calibrate(calibration, scene.confidence(strip), predicted, reference)
            task.advance()
    return Tally(
        counts,
        None if border is None else border.finish(),
        None if things is None else things.finish(),
        calibration,
    )


def _parts(strip: Window, windows: list[Window]) -> Iterator[tuple[slice, slice]]:
    """What of each window lies in the strip, as slices of the strip."""
    for window in windows:
        part = window.intersection(strip)
        if not part.is_empty:
            yield part.relative_to(strip).slices()


def _calibrate(
    calibration: Calibration, level: NDArray[np.uint8], predicted: NDArray[np.uint8], reference: NDArray[np.uint8]
) -> None:
    judged = (reference != IGNORE_INDEX) & (predicted != IGNORE_INDEX)
    calibration.update(np.where(judged, level, np.uint8(IGNORE_INDEX)), predicted == reference)
