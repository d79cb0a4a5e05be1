"""Slide inference, as mmsegmentation does it: windows at a regular stride, logits of overlapping windows averaged.

Windows are ``size`` x ``size`` pixels and lie inside the image: where the last one would reach beyond the border, it is
shifted back. An image smaller than that is seen in one window as it is, without padding. Worked example: 12 columns, size
6, stride 4. Windows begin at 0 and 4; the next would end at 14, so it begins at 6 instead of 8. Columns 0 to 3 are seen
once, 4 and 5 twice, 6 to 9 twice, 10 and 11 once.

A variant (inference/variants.py) that flips slides over the flipped image: counted on the image itself, its windows begin
at 0, 2 and 6 in the example, so the shifted one lies at the other end. Rows of windows are always taken from top to bottom:
like blends (inference/blend.py), the sum holds one row of windows: 4 x class x size x width bytes.
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

from geoseg.errors import ConfigError
from geoseg.grid.tiling import Tile
from geoseg.grid.window import Window
from geoseg.inference.tiles import Piece
from geoseg.inference.tta_variants import AS_IT_IS, Variant


def usual_stride(size: int) -> int:
    """Two thirds of a window's side: 341 for 512, 513 for 769, as in the zoo."""
    return max(round(size * 2 / 3), 1)


def check_stride(stride: int, size: int) -> None:
    """:class:`ConfigError` unless windows of ``size`` at that stride leave no pixel out."""
    if not 1 <= stride <= size:
        raise ConfigError(
            f"windows of {size} pixels at a stride of {stride} do not cover a scene",
            f"take --stride between 1 and {size}, or a larger --tile",
        )


def starts(length: int, size: int, stride: int) -> list[int]:
    """Where windows begin along an axis of ``length`` pixels; size > length makes one window at 0."""
    count = max(length - size + stride - 1, 0) // stride + 1
    return [max(min(number * stride, length - size), 0) for number in range(count)]


@dataclass(frozen=True)
class Windows:
    """The windows over one image that have a say in a part of it. All numbers are pixels of that image."""

    image: tuple[int, int]
    """Rows and columns of the image."""
    part: Window
    """What is wanted of the image; inside it, not empty."""
    size: int
    """Side of a window, unless the image is smaller."""
    stride: int
    """From one window to the next."""
    variant: Variant = AS_IT_IS
    """Which of the image's symmetries slides. The image has the variant's scale already."""

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of every window."""
        return min(self.size, self.image[0]), min(self.size, self.image[1])

    @cached_property
    def rows(self) -> list[int]:
        """First rows of the windows, from top to bottom."""
        found = self._starts(self.image[0], flipped=self.variant.flip_rows)
        return sorted(row for row in found if self.part.row - self.window[0] < row < self.part.row_stop)

    @cached_property
    def cols(self) -> list[int]:
        """First columns of the windows, in the order in which mmsegmentation comes by."""
        found = self._starts(self.image[1], flipped=self.variant.flip_cols)
        return [col for col in found if self.part.col - self.window[1] < col < self.part.col_stop]

    @property
    def extent(self) -> Window:
        """What the windows cover together."""
        row, col = self.rows[0], min(self.cols)
        return Window(row, col, self.rows[-1] + self.window[0] - row, max(self.cols) + self.window[1] - col)

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.rows) * len(self.cols)

    def tiles(self) -> Iterator[Tile]:
        """The windows, row of windows by row of windows; core and view are the same."""
        for row in self.rows:
            for col in self.cols:
                window = Window(row, col, *self.window)
                yield Tile(window, window)

    def _starts(self, length: int, *, flipped: bool) -> list[int]:
        found = starts(length, self.size, self.stride)
        return [max(length - self.size, 0) - start for start in found] if flipped else found


def averaged_logits(
    pieces: Iterable[Piece], windows: Windows, *, classes: int, device: torch.device
) -> Iterator[Float[Tensor, "class _ _"]]:
    """Mean logits of the rows of ``windows.extent``, from top to bottom; pieces bear logits, in the order of the tiles.

    They are right inside ``windows.part``; around it, windows are missing. Where a window was not looked at (nothing in
    it is valid), its logits count as 0.
    """
    (height, width), extent = windows.window, windows.extent
    band = torch.zeros((classes, height, extent.width), device=device)
    seen_down, seen_across = _seen(windows.rows, height, extent.row_stop), _seen(windows.cols, width, extent.col_stop)
    pieces = iter(pieces)
    for row, following in pairwise([*windows.rows, extent.row_stop]):
        for piece in islice(pieces, len(windows.cols)):
            if piece.probabilities is not None:
                col = piece.tile.view.col - extent.col
                band[:, :, col : col + width] += piece.probabilities
        seen = np.outer(seen_down[row:following], seen_across[extent.col :]).astype(np.float32)
        finished = following - row
        yield band[:, :finished] / torch.from_numpy(seen).to(device)
        band[:, : height - finished] = band[:, finished:].clone()
        band[:, height - finished :] = 0


def _seen(begins: list[int], size: int, stop: int) -> NDArray[np.int64]:
    """How many of the windows that begin there hold each pixel of an axis, up to ``stop``."""
    changes = np.zeros(stop + 1, np.int64)
    changes[begins] += 1
    np.subtract.at(changes, np.array(begins) + size, 1)
    return np.cumsum(changes[:-1])
