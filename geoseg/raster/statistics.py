"""Mean, deviation and range of each band over the valid pixels of many scenes, in one pass that holds few pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import SceneError
from geoseg.raster.raster import Raster


@dataclass(frozen=True)
class BandStatistics:
    """One band over all valid pixels, in the file's own units."""

    name: str
    """The band's name."""
    mean: float
    """Arithmetic mean."""
    std: float
    """Standard deviation of the population."""
    minimum: float
    """Least value seen."""
    maximum: float
    """Greatest value seen."""


@dataclass
class BandSums:
    """Sums over chunks that are merged without cancellation.

    Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance (1983). A plain sum of squares loses all digits
    where the mean is large against the deviation, as in 16 bit imagery.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared deviations from the mean
    minimum: float = field(default=np.inf)
    maximum: float = field(default=-np.inf)

    def add(self, values: NDArray[Any]) -> None:
        """Counts some values (one axis, at least one of them)."""
        if values.dtype == np.uint8:  # counting first is several times faster
            counts = np.bincount(values, minlength=256)
            levels = np.flatnonzero(counts)
            self.merge(_sums(levels.astype(np.float64), counts[levels]))
        else:
            exact = values.astype(np.float64)
            self.merge(_sums(exact, np.ones(1)))

    def merge(self, other: "BandSums") -> None:
        """Adds what another one has counted."""
        if not other.count:
            return
        total, apart = self.count + other.count, other.mean - self.mean
        self.squares += other.squares + apart**2 * self.count * other.count / total
        self.mean += apart * other.count / total
        self.count = total
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)


def _sums(values: NDArray[np.float64], weights: NDArray[Any]) -> BandSums:
    """The sums of values that occur so many times each (``weights`` of one number: each that often)."""
    counts = np.broadcast_to(weights, values.shape)
    count = int(counts.sum())
    mean = float((values * counts).sum() / count)
    squares = float((np.square(values - mean) * counts).sum())
    return BandSums(count, mean, squares, float(values.min()), float(values.max()))


class RunningStatistics:
    """Takes rasters one after another and says at any time what all of them together are like."""

    def __init__(self) -> None:
        self.bands: list[BandSums] = []
        """Sums per band, none before the first raster."""

    @property
    def count(self) -> int:
        """Valid pixels so far."""
        return self.bands[0].count if self.bands else 0

    def add(self, raster: Raster) -> None:
        """Counts the valid pixels of a raster; all rasters have the same bands in the same order."""
        self.bands = self.bands or [BandSums() for _ in raster.values]
        if raster.valid.all():
            for band, sums in zip(raster.values, self.bands, strict=True):
                sums.add(band.ravel())
        elif raster.valid.any():
            for band, sums in zip(raster.values, self.bands, strict=True):
                sums.add(band[raster.valid])

    def merge(self, other: "RunningStatistics") -> None:
        """Adds what another one has counted over the same bands."""
        if not other.count:
            return
        self.bands = self.bands or [BandSums() for _ in other.bands]
        for mine, its in zip(self.bands, other.bands, strict=True):
            mine.merge(its)

    def of(self, names: Sequence[str]) -> tuple[BandStatistics, ...]:
        """Statistics of each band, by the names given; :class:`SceneError` if no pixel was valid."""
        if not self.count:
            raise SceneError("no scene has a valid pixel", "check the nodata value (gdalinfo shows it)")
        return tuple(_finished(name, sums) for name, sums in zip(names, self.bands, strict=True))

    def to_json(self) -> list[dict[str, float]]:
        """The sums per band, for a JSON file."""
        return [asdict(band) for band in self.bands] if self.count else []

    @classmethod
    def from_json(cls, bands: Sequence[Mapping[str, Any]]) -> Self:
        """What :meth:`to_json` wrote."""
        made = cls()
        made.bands = [BandSums(**band) for band in bands]
        return made


def _finished(name: str, sums: BandSums) -> BandStatistics:
    return BandStatistics(name, sums.mean, float(np.sqrt(sums.squares / sums.count)), sums.minimum, sums.maximum)
