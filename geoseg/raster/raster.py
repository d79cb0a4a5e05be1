"""A raster in memory: pixel values together with their validity and their grid."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels that know where they lie."""

    values: NDArray[Any]
    """Pixel values, axes (band, row, col); 0 where not valid, unless the maker says otherwise."""
    valid: NDArray[np.bool_]
    """Axes (row, col); True = usable."""
    grid: Grid
    """Where the pixels lie; its shape is the shape of ``valid``."""

    def __post_init__(self) -> None:
        assert self.values.ndim == 3, f"values have the axes (band, row, col), not {self.values.shape}"
        assert self.values.shape[1:] == self.valid.shape == self.grid.shape

    def crop(self, window: Window) -> Self:
        """The pixels of a window inside this raster (counted from its first pixel), as views of the same memory."""
        assert self.grid.window.contains(window), f"{window} reaches outside {self.grid.shape}"
        rows, cols = window.slices()
        return type(self)(self.values[:, rows, cols], self.valid[rows, cols], self.grid.crop(window))

    def fill(self, value: float) -> NDArray[Any]:
        """A copy of the values, axes (band, row, col), with ``value`` in every band where a pixel is not valid."""
        return np.where(self.valid, self.values, np.asarray(value, self.values.dtype))
