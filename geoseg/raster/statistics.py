"""Compute the mean, standard deviation and range of each band over the valid pixels of many rasters, in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import SceneError
from geoseg.raster.raster import Raster


@dataclass(frozen=True)
class BandStatistics:
    """Statistics of one band over all valid pixels, in the units of the file."""

    name: str
    """Name of the band."""
    mean: float
    """Arithmetic mean."""
    std: float
    """Population standard deviation."""
    minimum: float
    """Smallest value."""
    maximum: float
    """Largest value."""


@dataclass
class BandSums:
    """Sums of one band that can be merged without loss of precision.

    Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance (1983). A plain sum of squares loses all
    significant digits if the mean is large relative to the standard deviation, as in 16-bit imagery.
    """

    count: int = 0
    """Number of values."""
    mean: float = 0.0
    """Arithmetic mean."""
    squares: float = 0.0
    """Sum of squared deviations from the mean."""
    minimum: float = field(default=np.inf)
    """Smallest value."""
    maximum: float = field(default=-np.inf)
    """Largest value."""

    def add(self, values: NDArray[Any]) -> None:
        """Add one or more values, shape (value,)."""
        if values.dtype == np.uint8:  # computing a histogram first is several times faster
            counts = np.bincount(values, minlength=256)
            levels = np.flatnonzero(counts)
            self.merge(_sum_weighted(levels.astype(np.float64), counts[levels]))
        else:
            self.merge(_sum_weighted(values.astype(np.float64), np.ones(1)))

    def merge(self, other: "BandSums") -> None:
        """Merge the sums of other values of the same band into these sums."""
        if not other.count:
            return
        total, difference = self.count + other.count, other.mean - self.mean
        self.squares += other.squares + difference**2 * self.count * other.count / total
        self.mean += difference * other.count / total
        self.count = total
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)


def _sum_weighted(values: NDArray[np.float64], weights: NDArray[Any]) -> BandSums:
    """Return the sums of weighted values; the weights are frequencies, and a single weight applies to all values."""
    counts = np.broadcast_to(weights, values.shape)
    count = int(counts.sum())
    mean = float((values * counts).sum() / count)
    squares = float((np.square(values - mean) * counts).sum())
    return BandSums(count, mean, squares, float(values.min()), float(values.max()))


class RunningStatistics:
    """Statistics that are updated incrementally, one raster at a time."""

    def __init__(self) -> None:
        self.bands: list[BandSums] = []
        """Sums per band; empty before the first raster."""

    @property
    def count(self) -> int:
        """Number of valid pixels so far."""
        return self.bands[0].count if self.bands else 0

    def add(self, raster: Raster) -> None:
        """Add the valid pixels of a raster; all rasters must have the same bands in the same order."""
        self.bands = self.bands or [BandSums() for _ in raster.values]
        if raster.valid.all():
            for band, sums in zip(raster.values, self.bands, strict=True):
                sums.add(band.ravel())
        elif raster.valid.any():
            for band, sums in zip(raster.values, self.bands, strict=True):
                sums.add(band[raster.valid])

    def merge(self, other: "RunningStatistics") -> None:
        """Merge the statistics of other pixels of the same bands into these statistics."""
        if not other.count:
            return
        self.bands = self.bands or [BandSums() for _ in other.bands]
        for sums, other_sums in zip(self.bands, other.bands, strict=True):
            sums.merge(other_sums)

    def summarize(self, names: Sequence[str]) -> tuple[BandStatistics, ...]:
        """Compute the statistics of each band.

        Args:
            names: Names of the bands.

        Raises:
            SceneError: If no pixel is valid.
        """
        if not self.count:
            raise SceneError("no scene has a valid pixel", "check the nodata value (gdalinfo shows it)")
        return tuple(_summarize(name, sums) for name, sums in zip(names, self.bands, strict=True))

    def to_json(self) -> list[dict[str, float]]:
        """Return the sums per band as JSON-compatible types."""
        return [asdict(band) for band in self.bands] if self.count else []

    @classmethod
    def from_json(cls, bands: Sequence[Mapping[str, Any]]) -> Self:
        """Create statistics from the result of :meth:`to_json`."""
        statistics = cls()
        statistics.bands = [BandSums(**band) for band in bands]
        return statistics


def _summarize(name: str, sums: BandSums) -> BandStatistics:
    return BandStatistics(name, sums.mean, float(np.sqrt(sums.squares / sums.count)), sums.minimum, sums.maximum)
