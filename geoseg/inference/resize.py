"""Images and logits at another size, in any window, with the numbers that OpenCV and torch give for the whole.

Both interpolate between the two nearest pixels along each axis. Pixel i of ``output`` lies at (i + ½) · size / output - ½
of the ``size`` pixels it is made from (beyond the first and the last, these count alone). As no pixel needs others than
its neighbours, a window of the result needs only a window of the source.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from geoseg.raster.raster import Raster

ONE = 2048
"""How OpenCV writes 1 when it weighs bytes: weights are whole numbers."""


@dataclass(frozen=True, eq=False)
class Taps:
    """Along one axis: between which two pixels of the source each pixel of the result lies."""

    low: NDArray[np.int64]
    """The pixel before."""
    high: NDArray[np.int64]
    """The pixel behind, or the same one."""
    share: NDArray[np.float32]
    """Weight of ``high``, 0 to 1; that of ``low`` is the rest."""

    @property
    def first(self) -> int:
        """The first pixel of the source that counts."""
        return int(self.low[0])

    @property
    def count(self) -> int:
        """How many pixels of the source there are from the first to the last that counts."""
        return int(self.high[-1]) + 1 - self.first

    def part(self, begin: int, stop: int) -> "Taps":
        """Some pixels of the result only."""
        return Taps(self.low[begin:stop], self.high[begin:stop], self.share[begin:stop])

    def from_pixel(self, first: int) -> "Taps":
        """The same, counted from pixel ``first`` of the source."""
        return Taps(self.low - first, self.high - first, self.share)


def scaled_shape(height: int, width: int, scale: float) -> tuple[int, int]:
    """Rows and columns of an image at another scale, as mmcv's ``imrescale`` computes them in mmsegmentation's ``Resize``.

    Sides are rounded twice there: first on their own, then so that the ratio is kept within the first. For 1198 x 2991
    at 1.75 that makes 2096 x 5234, not 2097 x 5234.
    """

    def sides(factor: float) -> tuple[int, int]:
        return max(int(height * factor + 0.5), 1), max(int(width * factor + 0.5), 1)

    wanted = sides(scale)
    return sides(min(max(wanted) / max(height, width), min(wanted) / min(height, width)))


def pixel_taps(first: int, stop: int, *, output: int, size: int) -> Taps:
    """Pixels ``first`` to ``stop`` of ``output`` from ``size``, with OpenCV's rounding (positions in float32)."""
    positions = (np.arange(first, stop) + 0.5) * (1 / (output / size)) - 0.5
    below = np.floor(positions.astype(np.float32))
    low = below.astype(np.int64)
    return Taps(low.clip(0, size - 1), (low + 1).clip(0, size - 1), positions.astype(np.float32) - below)


def logit_taps(first: int, stop: int, *, output: int, size: int, align_corners: bool) -> Taps:
    """The same with torch's rounding; with ``align_corners`` the first and last pixels' centres lie on each other."""
    pixels = np.arange(first, stop, dtype=np.float64)
    if align_corners:
        positions = np.float32((size - 1) / max(output - 1, 1)) * pixels
    else:  # torch multiplies and subtracts with one rounding (FMA)
        positions = np.maximum(np.float32(size / output) * (pixels + 0.5) - 0.5, 0)
    nearest = positions.astype(np.float32)
    low = np.minimum(nearest.astype(np.int64), size - 1)
    share = nearest - low.astype(np.float32)
    return Taps(low, np.where(share > 0, np.minimum(low + 1, size - 1), low), share)


def scaled(raster: Raster, rows: Taps, cols: Taps, *, fill: NDArray[np.float64]) -> Raster:
    """The raster's pixels at other places; ``fill`` (band,) stands for pixels that are not valid.

    Bytes come out as from OpenCV's ``INTER_LINEAR``, to the last bit; all other types as float32. A pixel is valid if
    the nearest one is.
    """
    values = np.where(raster.valid, raster.values, _in_type(fill, raster.values.dtype)[:, None, None])
    interpolate = _bytes if values.dtype == np.uint8 else _floats
    nearest = [np.where(taps.share < np.float32(0.5), taps.low, taps.high) for taps in (rows, cols)]
    valid = raster.valid[np.ix_(*nearest)]
    return Raster(interpolate(values, rows, cols), valid, raster.grid.with_shape(*valid.shape))


def interpolated(
    logits: Float[Tensor, "*any row col"], rows: Taps, cols: Taps
) -> Float[Tensor, "*any out_row out_col"]:
    """Logits at other places."""
    return _between(_between(logits, cols, axis=-1), rows, axis=-2)


def _between(logits: Tensor, taps: Taps, *, axis: int) -> Tensor:
    if not taps.share.any():
        return logits.index_select(axis, torch.from_numpy(taps.low).to(logits.device))
    low, high = (logits.index_select(axis, torch.from_numpy(each).to(logits.device)) for each in (taps.low, taps.high))
    share = torch.from_numpy(taps.share).to(logits.device)
    share = share if axis == -1 else share[:, None]
    return low.mul_(1 - share).add_(high.mul_(share))


def _bytes(values: NDArray[np.uint8], rows: Taps, cols: Taps) -> NDArray[np.uint8]:
    """OpenCV's arithmetic: weights of 11 bits, and 4 + 16 + 2 bits dropped on the way (``VResizeLinearVec_32s8u``)."""
    before, behind = _whole_weights(cols)
    across = values[..., cols.low].astype(np.int32) * before + values[..., cols.high] * behind
    across >>= 4
    above, below = _whole_weights(rows)
    upper, lower = across[:, rows.low] * above[:, None], across[:, rows.high] * below[:, None]
    return (((upper >> 16) + (lower >> 16) + 2) >> 2).clip(0, 255).astype(np.uint8)


def _whole_weights(taps: Taps) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    rest = np.rint((np.float32(1) - taps.share) * np.float32(ONE)).astype(np.int32)
    return rest, np.rint(taps.share * np.float32(ONE)).astype(np.int32)


def _floats(values: NDArray[Any], rows: Taps, cols: Taps) -> NDArray[np.float32]:
    values = values.astype(np.float32)
    across = values[..., cols.low] * (1 - cols.share) + values[..., cols.high] * cols.share
    down = rows.share[:, None]
    return (across[:, rows.low] * (1 - down) + across[:, rows.high] * down).astype(np.float32, copy=False)


def _in_type(fill: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return fill.astype(dtype)
    limits = np.iinfo(dtype)
    return np.rint(fill).clip(limits.min, limits.max).astype(dtype)
