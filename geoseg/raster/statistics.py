"""Mean, deviation and range of each band over the valid pixels of many scenes, in one pass that holds few pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
class _Running:
    """Sums over chunks that are merged without cancellation.

    Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance (1983). A plain sum of squares loses all digits
    where the mean is large against the deviation, as in 16 bit imagery.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared deviations from the mean
    minimum: float = field(default=np.inf)
    maximum: float = field(default=-np.inf)

    def add(self, values: NDArray[np.float64]) -> None:
        count, mean = values.size, float(values.mean())
        total, apart = self.count + count, mean - self.mean
        self.squares += float(np.square(values - mean).sum()) + apart**2 * self.count * count / total
        self.mean += apart * count / total
        self.count = total
        self.minimum, self.maximum = min(self.minimum, float(values.min())), max(self.maximum, float(values.max()))


class RunningStatistics:
    """Takes rasters one after another and says at any time what all of them together are like."""

    def __init__(self) -> None:
        self._bands: list[_Running] = []

    @property
    def count(self) -> int:
        """Valid pixels so far."""
        return self._bands[0].count if self._bands else 0

    def add(self, raster: Raster) -> None:
        """Counts the valid pixels of a raster; all rasters have the same bands in the same order."""
        self._bands = self._bands or [_Running() for _ in raster.values]
        if raster.valid.any():
            for band, sums in zip(raster.values, self._bands, strict=True):
                sums.add(band[raster.valid].astype(np.float64))

    def of(self, names: Sequence[str]) -> tuple[BandStatistics, ...]:
        """Statistics of each band, by the names given; :class:`SceneError` if no pixel was valid."""
        if not self.count:
            raise SceneError("no scene has a valid pixel", "check the nodata value (gdalinfo shows it)")
        return tuple(_finished(name, sums) for name, sums in zip(names, self._bands, strict=True))


def _finished(name: str, sums: _Running) -> BandStatistics:
    return BandStatistics(name, sums.mean, float(np.sqrt(sums.squares / sums.count)), sums.minimum, sums.maximum)
