"""A class raster that is read as often as needed, strip by strip, and what its pixels measure on the ground."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.vector.measure import metric
from geoseg.vector.tracing.trace_raster import Classes, blocks


@dataclass(frozen=True)
class ClassRaster:
    """Classes of pixels, (row, col), of any height in flat memory."""

    width: int
    """Columns."""
    background: int
    """The value of pixels that belong to no class."""
    strips: Callable[[], Iterator[Classes]]
    """All rows from top to bottom; each call begins anew, and cuts at the same rows."""

    def blocks(self) -> Iterator[tuple[int, NDArray[np.int32]]]:
        """Each strip's first row, and the strip with what stands around it (see ``outlines.blocks``)."""
        strips = ((strip, None) for strip in self.strips())
        return ((row, block) for row, block, _ in blocks(strips, self.width, self.background))


@dataclass(frozen=True)
class PixelSize:
    """What pixels measure."""

    areas: NDArray[np.float64]
    """(row,): square metres of the pixel in the middle of each row."""
    across: float
    """Metres from one column to the next, in the middle of the grid."""
    down: float
    """Metres from one row to the next, likewise."""

    @classmethod
    def on(cls, grid: Grid) -> Self:
        """On a grid that has a CRS."""
        assert grid.crs is not None
        t, rows, col = grid.transform, np.arange(grid.height) + 0.5, grid.width / 2
        x, y = t.a * col + t.b * rows + t.c, t.d * col + t.e * rows + t.f
        left, bottom, right, top = grid.bounds
        e, f, g, scale = metric(grid.crs, x, y, max(right - left, top - bottom)).T
        middle = grid.height // 2
        across, down = (
            float(np.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy)[middle]) for dx, dy in ((t.a, t.d), (t.b, t.e))
        )
        return cls(scale * abs(t.determinant), across, down)
