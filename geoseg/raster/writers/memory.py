"""Write rasters to memory, for evaluation, tests and notebooks."""

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.output_bands import make_output
from geoseg.raster.raster import Raster
from geoseg.raster.writers.partial import OutputPixels, require_inside


class MemoryWriter:
    """Writer that keeps predicted rasters as arrays.

    :attr:`mask`, :attr:`raster` and :attr:`pixels` are available after :meth:`finish`.

    Args:
        outputs: Names of the outputs to keep; ``mask`` must be one of them.
    """

    legend: Legend
    """Classes of the mask."""
    pixels: dict[str, NDArray[np.uint8]]
    """Arrays keyed by output name, axes (band, row, col); 255 where nothing was predicted."""
    mask: NDArray[np.uint8]
    """Class indices, axes (row, col); 255 where nothing was predicted."""
    raster: Raster
    """The mask as a single-band raster; valid where a class was predicted."""
    partial: None = None
    """Always None, because in-memory arrays are not shared with other processes."""

    def __init__(self, outputs: tuple[str, ...] = ("mask",)) -> None:
        self.outputs = outputs

    def open(self, grid: Grid, legend: Legend) -> None:
        """Allocate the rasters, with all pixels set to 255."""
        self._grid, self.legend = grid, legend
        bands = {name: len(make_output(name, legend).bands) for name in self.outputs}
        self._pixels = {name: np.full((count, *grid.shape), IGNORE_INDEX, np.uint8) for name, count in bands.items()}

    @property
    def missing(self) -> list[Window]:
        """A window that covers the whole grid."""
        return [self._grid.window]

    def write(self, window: Window, pixels: OutputPixels) -> None:
        """Copy pixels, axes (band, row, col), to a window inside the grid."""
        require_inside(self._grid.shape, window, pixels)
        for name, array in self._pixels.items():
            array[:, *window.slices()] = pixels[name]

    def finish(self) -> None:
        """Make the rasters available."""
        self.pixels, self.mask = self._pixels, self._pixels["mask"][0]
        self.raster = Raster(self.mask[np.newaxis], self.mask != IGNORE_INDEX, self._grid)

    def abandon(self) -> None:
        """Release the memory of the pixels."""
        self.__dict__.pop("_pixels", None)
