"""Windows at a regular stride over an image, and the average of their logits, as in mmsegmentation's sliding-window
mode.

Windows are ``size`` x ``size`` pixels, or (height, width), and always inside the image: a last window that would cross
the border is shifted back. An image that is smaller than a window is covered by one window without padding. Example: 12
columns, size 6, stride 4. Windows begin at 0 and 4; the next one would end at 14, so it begins at 6 instead of 8. Columns
0 to 3 are covered once, 4 to 9 twice, and 10 and 11 once.

If a variant (inference/tta.py) flips the image, windows slide over the flipped image: in the example, they begin at 0, 2
and 6 relative to the original image, so the shifted window is at the other end. Rows of windows are always processed
from top to bottom. As in blending (inference/tiled/blending.py), only the sum of one row of windows is kept in memory: 4
x classes x size x width bytes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from geoseg.grid.tiling import Sizes, Tile, both_axes
from geoseg.grid.window import Window
from geoseg.inference.tile_pipeline import TilePrediction
from geoseg.inference.tta import IDENTITY, TtaVariant


def window_starts(length: int, size: int, stride: int) -> list[int]:
    """Return the first pixel of each window along an axis; a window longer than the axis begins at 0.

    Args:
        length: Length of the axis in pixels.
        size: Side length of a window in pixels.
        stride: Distance between windows in pixels.
    """
    count = max(length - size + stride - 1, 0) // stride + 1
    return [max(min(number * stride, length - size), 0) for number in range(count)]


@dataclass(frozen=True)
class WindowGrid:
    """The windows that contribute to a part of an image. All numbers are in pixels of that image."""

    image: tuple[int, int]
    """(height, width) of the image."""
    part: Window
    """The requested part of the image; it is not empty and does not extend beyond the image."""
    size: Sizes
    """Side length of a window, or (height, width), unless the image is smaller."""
    stride: Sizes
    """Distance between windows, or (down, across)."""
    variant: TtaVariant = IDENTITY
    """Variant of the image over which the windows slide; its scale has already been applied to the image."""

    @property
    def window_shape(self) -> tuple[int, int]:
        """(height, width) of every window."""
        height, width = both_axes(self.size)
        return min(height, self.image[0]), min(width, self.image[1])

    @cached_property
    def rows(self) -> list[int]:
        """First rows of the windows, from top to bottom."""
        starts = self._starts(0, flipped=self.variant.flip_rows)
        return sorted(row for row in starts if self.part.row - self.window_shape[0] < row < self.part.row_stop)

    @cached_property
    def cols(self) -> list[int]:
        """First columns of the windows, in mmsegmentation's order."""
        starts = self._starts(1, flipped=self.variant.flip_cols)
        return [col for col in starts if self.part.col - self.window_shape[1] < col < self.part.col_stop]

    @property
    def extent(self) -> Window:
        """The area covered by the windows."""
        row, col = self.rows[0], min(self.cols)
        height, width = self.window_shape
        return Window(row, col, self.rows[-1] + height - row, max(self.cols) + width - col)

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.rows) * len(self.cols)

    def tiles(self) -> Iterator[Tile]:
        """Yield the windows, one row of windows after another; the core and the view of a tile are identical."""
        for row in self.rows:
            for col in self.cols:
                window = Window(row, col, *self.window_shape)
                yield Tile(window, window)

    def _starts(self, axis: int, *, flipped: bool) -> list[int]:
        length, size = self.image[axis], both_axes(self.size)[axis]
        starts = window_starts(length, size, both_axes(self.stride)[axis])
        return [max(length - size, 0) - start for start in starts] if flipped else starts


def averaged_logits(
    predictions: Iterable[TilePrediction], windows: WindowGrid, *, classes: int, device: torch.device
) -> Iterator[Float[Tensor, "class _ _"]]:
    """Average the logits of overlapping windows.

    Args:
        predictions: Logits of the windows, in the order of ``windows.tiles()``. Windows without valid pixels are
            treated as if all their logits were 0.
        windows: The windows.
        classes: Number of classes.
        device: Device of the logits.

    Yields:
        Mean logits of successive rows of ``windows.extent``, from top to bottom. Inside ``windows.part``, all windows
        contribute; outside it, some windows are missing.
    """
    (height, width), extent = windows.window_shape, windows.extent
    buffer = torch.zeros((classes, height, extent.width), device=device)
    row_counts = _coverage(windows.rows, height, extent.row_stop)
    col_counts = _coverage(windows.cols, width, extent.col_stop)
    predictions = iter(predictions)
    for row, next_row in pairwise([*windows.rows, extent.row_stop]):
        for prediction in islice(predictions, len(windows.cols)):
            if prediction.probabilities is not None:
                col = prediction.tile.view.col - extent.col
                buffer[:, :, col : col + width] += prediction.probabilities
        counts = np.outer(row_counts[row:next_row], col_counts[extent.col :]).astype(np.float32)
        finished = next_row - row
        yield buffer[:, :finished] / torch.from_numpy(counts).to(device)
        buffer[:, : height - finished] = buffer[:, finished:].clone()
        buffer[:, height - finished :] = 0


def _coverage(starts: list[int], size: int, stop: int) -> NDArray[np.int64]:
    """Count the windows that cover each pixel of an axis, up to ``stop``."""
    changes = np.zeros(stop + 1, np.int64)
    changes[starts] += 1
    np.subtract.at(changes, np.array(starts) + size, 1)
    return np.cumsum(changes[:-1])
