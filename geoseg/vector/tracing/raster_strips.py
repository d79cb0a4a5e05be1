"""Read class rasters strip by strip, and pad the strips to form blocks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ClassArray = NDArray[np.uint8] | NDArray[np.int32]
"""Class indices (row, col)."""

WeightArray = NDArray[np.float32]
"""Weights of pixels (row, col), such as confidences; NaN where unknown."""


class Block(NamedTuple):
    """A strip padded with surrounding pixels."""

    row: int
    """First row of the strip in the image."""
    classes: NDArray[np.int32]
    """Class indices (1 + row, 1 + col + 1): the row above, the strip, and a background column on each side."""
    weights: WeightArray | None
    """Weights of the pixels in the strip (row, col), if known."""


@dataclass(frozen=True)
class ClassRaster:
    """A raster of class indices that can be read repeatedly in strips; memory use is independent of its height."""

    width: int
    """Number of columns."""
    background: int
    """Value of pixels without a class."""
    strips: Callable[[], Iterator[ClassArray]]
    """Function that returns an iterator over full-width strips, top to bottom; every call yields the same strips."""

    def blocks(self, *, close: bool = False) -> Iterator[Block]:
        """Yield the padded strips; see :func:`pad_strips`."""
        return pad_strips(((strip, None) for strip in self.strips()), self.width, self.background, close=close)


def pad_strips(
    strips: Iterable[tuple[ClassArray, WeightArray | None]], width: int, background: int, *, close: bool
) -> Iterator[Block]:
    """Pad each strip with the row above it and with a background column on each side.

    Args:
        strips: Class indices of full-width strips and their weights, top to bottom.
        width: Number of columns of the image.
        background: Value of pixels without a class.
        close: True to add a final block with one background row below the image. A block includes the corners at the
            top of its rows, so contours along the lower edge of the image are closed in this final block.
    """
    row, above, unknown = 0, None, None
    for strip, weights in strips:
        classes = np.full((strip.shape[0] + 1, width + 2), background, strip.dtype)
        classes[1:, 1:-1] = strip
        if above is not None:
            classes[0] = above
        yield Block(row, classes, weights)
        row, above = row + strip.shape[0], classes[-1].copy()
        unknown = None if weights is None else np.full((1, width), np.nan, np.float32)
    if close:
        below = np.full((2, width + 2), background, np.uint8 if above is None else above.dtype)
        if above is not None:
            below[0] = above
        yield Block(row, below, unknown)
