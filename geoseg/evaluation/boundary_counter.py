"""Count the boundaries of a whole scene from strips: rows are kept until the rows below them are known."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from geoseg.errors import ConfigError
from geoseg.grid.grid import Grid, map_point
from geoseg.metrics.boundary import BoundaryCounts, Offsets, count_boundaries

Mask = NDArray[np.uint8]


@dataclass
class BoundaryCounter:
    """Counts the boundaries of one scene, from strips of full width, top to bottom."""

    classes: int
    """Number of classes."""
    offsets: Offsets
    """Offsets (row, col) within the tolerance."""
    counts: BoundaryCounts = field(init=False)
    """Counts of the finished rows."""

    def __post_init__(self) -> None:
        """Start without any rows."""
        self.counts = BoundaryCounts.none(self.classes)
        # One row more than the tolerance: whether a pixel is on a boundary depends on its neighbors.
        self._halo = int(self.offsets[:, 0].max()) + 1
        self._kept: tuple[Mask, Mask] | None = None
        self._counted_rows = 0  # of the kept rows

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
        """Count the kept rows up to ``stop``, and drop the rows that no later row needs."""
        if self._kept is None or stop <= self._counted_rows:
            return
        inside = (slice(self._counted_rows, stop), slice(None))
        self.counts += count_boundaries(*self._kept, self.offsets, self.classes, inside)
        first = max(stop - self._halo, 0)
        self._kept = self._kept[0][first:], self._kept[1][first:]
        self._counted_rows = stop - first


def pixel_size_m(grid: Grid, gsd: float | None, name: str) -> tuple[float, float]:
    """Return height and width of a pixel on the ground at the center of a grid, in meters.

    In a geographic CRS, pixels are usually higher than wide.

    Args:
        grid: Grid of the mask.
        gsd: Meters per pixel of a grid without CRS.
        name: File name for the error message.

    Raises:
        ConfigError: The grid has no CRS and ``gsd`` is None.
    """
    if grid.crs is None:
        if gsd is None:
            raise ConfigError(
                f"{name} has no CRS, so a tolerance in meters cannot be applied", "give meters per pixel with --gsd"
            )
        return gsd, gsd
    col, row = grid.width / 2, grid.height / 2
    points = [map_point(grid.transform, *pixel) for pixel in ((col, row), (col, row + 1), (col + 1, row))]
    x, y = zip(*points, strict=True)
    lon, lat = Transformer.from_crs(grid.crs, "OGC:CRS84", always_xy=True).transform(x, y)
    geod = Geod(ellps="WGS84")
    height, width = (float(geod.inv(lon[0], lat[0], lon[i], lat[i])[2]) for i in (1, 2))
    return height, width
