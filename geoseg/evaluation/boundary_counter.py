"""Borders of a whole scene, counted strip by strip: rows wait until those below them are known."""

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
    """Counts the borders of one scene, from strips of full width, top to bottom."""

    classes: int
    """Number of classes."""
    offsets: Offsets
    """Steps within the tolerance."""
    counts: BoundaryCounts = field(init=False)
    """Of the rows that are done."""

    def __post_init__(self) -> None:
        self.counts = BoundaryCounts.none(self.classes)
        # A row more than the tolerance: whether a pixel lies at a border depends on its neighbours.
        self._halo = int(self.offsets[:, 0].max()) + 1
        self._held: tuple[Mask, Mask] | None = None
        self._done = 0  # rows of what is held that are counted already

    def update(self, predicted: Mask, reference: Mask) -> None:
        """Takes the next strip of class indices (row, col), 255 = none."""
        if self._held is not None:
            predicted, reference = (
                np.concatenate(pair) for pair in zip(self._held, (predicted, reference), strict=True)
            )
        self._held = predicted, reference
        self._count(len(predicted) - self._halo)

    def finish(self) -> BoundaryCounts:
        """The counts, once every strip was taken."""
        if self._held is not None:
            self._count(len(self._held[0]))
        return self.counts

    def _count(self, stop: int) -> None:
        """Counts what is held up to a row, and lets go of what no later row needs."""
        if self._held is None or stop <= self._done:
            return
        inside = (slice(self._done, stop), slice(None))
        self.counts += count_boundaries(*self._held, self.offsets, self.classes, inside)
        first = max(stop - self._halo, 0)
        self._held = self._held[0][first:], self._held[1][first:]
        self._done = stop - first


def pixel_metres(grid: Grid, gsd: float | None, name: str) -> tuple[float, float]:
    """Height and width of a pixel on the ground, metres, at the grid's centre.

    ``gsd`` counts for a grid without CRS; :class:`ConfigError` if neither tells. In a geographic CRS pixels are mostly
    higher than wide.
    """
    if grid.crs is None:
        if gsd is None:
            raise ConfigError(
                f"{name} has no CRS, so a tolerance in metres means nothing", "say metres per pixel: --gsd"
            )
        return gsd, gsd
    col, row = grid.width / 2, grid.height / 2
    there = [map_point(grid.transform, *place) for place in ((col, row), (col, row + 1), (col + 1, row))]
    x, y = zip(*there, strict=True)
    lon, lat = Transformer.from_crs(grid.crs, "OGC:CRS84", always_xy=True).transform(x, y)
    geod = Geod(ellps="WGS84")
    height, width = (float(geod.inv(lon[0], lat[0], lon[i], lat[i])[2]) for i in (1, 2))
    return height, width
