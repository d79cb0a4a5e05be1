"""In-memory pixels with their validity and grid."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window


@dataclass(frozen=True, eq=False)
class Raster:
    """Georeferenced in-memory pixels.

    Example:
        >>> import numpy as np
        >>> from affine import Affine
        >>> grid = Grid(None, Affine.identity(), height=2, width=3)
        >>> raster = Raster(np.arange(6).reshape(1, 2, 3), np.ones((2, 3), bool), grid)
        >>> raster.crop(Window(0, 1, 2, 2)).values.tolist()
        [[[1, 2], [4, 5]]]
    """

    values: NDArray[Any]
    """Pixel values, axes (band, row, col); 0 where not valid, unless documented otherwise."""
    valid: NDArray[np.bool_]
    """Validity mask, axes (row, col); True where the pixel is usable."""
    grid: Grid
    """CRS, transform and shape of the pixels."""

    def __post_init__(self) -> None:
        assert self.values.ndim == 3, f"values must have the axes (band, row, col), got shape {self.values.shape}"
        assert self.values.shape[1:] == self.valid.shape == self.grid.shape

    def crop(self, window: Window) -> Self:
        """Return the pixels in a window inside this raster; the arrays are views, not copies."""
        assert self.grid.window.contains(window), f"{window} is not inside a raster of shape {self.grid.shape}"
        rows, cols = window.slices()
        return type(self)(self.values[:, rows, cols], self.valid[rows, cols], self.grid.crop(window))

    def fill(self, value: float) -> NDArray[Any]:
        """Return a copy of the values, axes (band, row, col), in which invalid pixels are set to ``value``."""
        return np.where(self.valid, self.values, np.asarray(value, self.values.dtype))
