"""A sink that keeps rasters in memory, for evaluation, tests and notebooks."""

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.prediction_outputs import make_product
from geoseg.raster.raster import Raster
from geoseg.raster.writers.partial import Pixels, require_inside


class MemorySink:
    """Keeps arrays; :attr:`mask`, :attr:`raster` and :attr:`pixels` are there once the sink is finished."""

    legend: Legend
    """What the class indices mean."""
    pixels: dict[str, NDArray[np.uint8]]
    """By product: bytes, axes (band, row, col); 255 where nothing was predicted."""
    mask: NDArray[np.uint8]
    """Class indices, axes (row, col); 255 where nothing was predicted."""
    raster: Raster
    """The same as one band on its grid; valid (True) where something was predicted."""

    def __init__(self, products: tuple[str, ...] = ("mask",)) -> None:
        """``products`` to keep; the mask must be one of them."""
        self.products = products

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin with 255 everywhere."""
        self._grid, self.legend = grid, legend
        bands = {name: len(make_product(name, legend).bands) for name in self.products}
        self._pixels = {name: np.full((count, *grid.shape), IGNORE_INDEX, np.uint8) for name, count in bands.items()}

    @property
    def missing(self) -> list[Window]:
        """All of the grid."""
        return [self._grid.window]

    def write(self, window: Window, pixels: Pixels) -> None:
        """Put pixels, axes (band, row, col), into a window inside the grid."""
        require_inside(self._grid.shape, window, pixels)
        for name, kept in self._pixels.items():
            kept[:, *window.slices()] = pixels[name]

    def finish(self) -> None:
        """Make what was written available."""
        self.pixels, self.mask = self._pixels, self._pixels["mask"][0]
        self.raster = Raster(self.mask[np.newaxis], self.mask != IGNORE_INDEX, self._grid)

    def abandon(self) -> None:
        """Let go of the pixels."""
        self.__dict__.pop("_pixels", None)
