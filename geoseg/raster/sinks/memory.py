"""A sink that keeps the mask in memory, for evaluation, tests and notebooks."""

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.raster import Raster
from geoseg.raster.sinks.base import require_inside


class MemorySink:
    """Keeps a mask as an array; :attr:`mask` and :attr:`raster` are there once the sink is finished."""

    legend: Legend
    """What the class indices mean."""
    mask: NDArray[np.uint8]
    """Class indices, axes (row, col); 255 where nothing was predicted."""
    raster: Raster
    """The same as one band on its grid; valid (True) where something was predicted."""

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin a mask of 255 everywhere."""
        self._grid, self.legend = grid, legend
        self._pixels = np.full(grid.shape, IGNORE_INDEX, np.uint8)

    def write(self, window: Window, class_index: NDArray[np.uint8]) -> None:
        """Put class indices, axes (row, col), into a window inside the grid."""
        require_inside(self._grid, window, class_index)
        self._pixels[window.slices()] = class_index

    def finish(self) -> None:
        """Make :attr:`mask` and :attr:`raster` available."""
        self.mask = self._pixels
        self.raster = Raster(self.mask[np.newaxis], self.mask != IGNORE_INDEX, self._grid)

    def abandon(self) -> None:
        """Let go of the pixels."""
        self.__dict__.pop("_pixels", None)
