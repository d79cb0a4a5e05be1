"""Compute the spans of file pixels that GDAL resamples, and nearest-neighbor indices.

Spans are computed one axis at a time. A window may extend beyond the file, and the edge of the file may be inside an
output pixel. Example: a file has 10 rows, and a window of 16 rows that begins at row -3 is read as 8 rows, so each output
row covers 2 file rows. Output row 0 covers file rows -3 and -2, row 1 covers -1 and 0, rows 2 to 5 cover 1 to 8, row 6
covers 9 and 10, and row 7 covers 11 and 12. Rows 2 to 5 are inside the file; rows 1 and 6 are half inside and are
computed from the half that is inside; rows 0 and 7 are padding.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterioWindow

Pixel = TypeVar("Pixel", bound=np.generic)

TOLERANCE = 1e-9
"""Rounding tolerance of positions, in output pixels."""

SIZE_ROUNDING = 0.05
"""Largest difference between the factors of the two axes that can result from rounding the output size."""


@dataclass(frozen=True)
class Span:
    """Adjacent output pixels along one axis, and the part of the file from which they are resampled."""

    start: int
    """First output pixel."""
    stop: int
    """Index after the last output pixel."""
    offset: float
    """Start of the part, in file pixels from the top or left edge of the file."""
    length: float
    """Length of the part, in file pixels."""


def spans(first: int, size: int, output: int, *, length: int) -> Iterator[Span]:
    """Split the output pixels along one axis into spans that GDAL can resample without reading outside the file.

    Args:
        first: First file pixel of the window; may be negative.
        size: Number of file pixels in the window.
        output: Number of output pixels in the window.
        length: Number of pixels in the file.

    Yields:
        At most three spans. Output pixels whose center is outside the file are not in any span: they are padding.
    """
    step = size / output
    enter, leave = -first / step, (length - first) / step  # the file's edges, in output pixels
    start, stop = max(math.ceil(enter - 0.5), 0), min(math.floor(leave + 0.5), output)
    inner_start = min(max(math.ceil(enter - TOLERANCE), start), stop)
    inner_stop = max(min(math.floor(leave + TOLERANCE), stop), inner_start)
    for begin, end in ((start, inner_start), (inner_start, inner_stop), (inner_stop, stop)):
        low, high = max(first + begin * step, 0.0), min(first + end * step, float(length))
        if begin < end and high > low:
            yield Span(begin, end, low, high - low)


def avoid_equal_weights(part: RasterioWindow, shape: tuple[int, int]) -> RasterioWindow:
    """Adjust a part of a file so that GDAL weights partially covered rows when averaging.

    GDAL 3.10 takes the unweighted mean of 2 x 2 pixels wherever all output pixels cover exactly two columns, even if they
    cover only parts of the two rows. A part that is narrower by a millionth is averaged with weights.

    Args:
        part: The part; its edges may be inside pixels.
        shape: (height, width) of the result.

    Returns:
        ``part`` unchanged, unless exactly two columns and parts of rows are averaged. It is also unchanged if both axes
        are reduced by the same factor, up to the rounding of their sizes.
    """
    down, across = part.height / shape[0], part.width / shape[1]
    whole_rows = float(part.row_off).is_integer() and float(down).is_integer()
    if whole_rows or abs(across - 2) > TOLERANCE or abs(down - 2) <= SIZE_ROUNDING:
        return part
    return RasterioWindow(part.col_off, part.row_off, part.width * (1 - 1e-6), part.height)


def nearest_indices(size: int, output: int) -> NDArray[np.int64]:
    """Return, for each of ``output`` pixels along one axis, the nearest of ``size`` pixels over the same extent.

    The result is identical to that of PyTorch's "nearest-exact" mode.

    Example:
        >>> nearest_indices(6, 3).tolist()
        [1, 3, 5]
    """
    return ((np.arange(output) + 0.5) * size / output).astype(np.int64)


def resample_nearest(values: NDArray[Pixel], shape: tuple[int, int]) -> NDArray[Pixel]:
    """Resample values, axes (row, col), to a new shape over the same extent, using nearest-neighbor resampling."""
    if values.shape == shape:
        return values
    rows, cols = (nearest_indices(size, output) for size, output in zip(values.shape, shape, strict=True))
    return values.take(rows, axis=0).take(cols, axis=1)
