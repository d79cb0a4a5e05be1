"""Bilinear resizing of images and logits within a window, with the same result as OpenCV and torch for the full image.

Both libraries interpolate between the two nearest pixels along each axis. The center of output pixel i is at source
position (i + ½) · size / output - ½; beyond the centers of the first and last source pixels, these pixels are repeated.
An output pixel depends only on neighboring source pixels, so computing a window of the result requires only a window of
the source.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from geoseg.raster.raster import Raster

OPENCV_WEIGHT_ONE = 2048
"""The weight 1 in OpenCV's fixed-point arithmetic for uint8."""


@dataclass(frozen=True, eq=False)
class InterpolationTaps:
    """The two source pixels and the weight of each output pixel along one axis."""

    low: NDArray[np.int64]
    """Index of the source pixel before the sampling position."""
    high: NDArray[np.int64]
    """Index of the source pixel after the sampling position, or the same as ``low``."""
    weight: NDArray[np.float32]
    """Weight of ``high``, from 0 to 1; the weight of ``low`` is 1 minus this weight."""

    @property
    def first(self) -> int:
        """The first source pixel that is used."""
        return int(self.low[0])

    @property
    def count(self) -> int:
        """Number of source pixels from the first to the last one that is used."""
        return int(self.high[-1]) + 1 - self.first

    def part(self, start: int, stop: int) -> "InterpolationTaps":
        """Return the taps of the output pixels from ``start`` to ``stop`` (exclusive)."""
        return InterpolationTaps(self.low[start:stop], self.high[start:stop], self.weight[start:stop])

    def relative_to(self, first: int) -> "InterpolationTaps":
        """Return the taps with source pixels relative to pixel ``first``."""
        return InterpolationTaps(self.low - first, self.high - first, self.weight)


def scale_shape(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return the (height, width) of a rescaled image, as in mmsegmentation's ``Resize``, which uses mmcv's ``imrescale``.

    mmcv rounds the sides twice: first each side separately, and then so that the aspect ratio is kept within these sides.
    For 1198 x 2991 pixels and a scale of 1.75, the result is 2096 x 5234, not 2097 x 5234.
    """

    def sides(factor: float) -> tuple[int, int]:
        return max(int(height * factor + 0.5), 1), max(int(width * factor + 0.5), 1)

    target = sides(scale)
    return sides(min(max(target) / max(height, width), min(target) / min(height, width)))


def image_taps(start: int, stop: int, *, output: int, size: int) -> InterpolationTaps:
    """Compute taps for images, with OpenCV's rounding (positions in float32).

    Args:
        start: First output pixel.
        stop: Output pixel after the last one.
        output: Length of the full output axis.
        size: Length of the full source axis.
    """
    positions = (np.arange(start, stop) + 0.5) * (1 / (output / size)) - 0.5
    below = np.floor(positions.astype(np.float32))
    low = below.astype(np.int64)
    return InterpolationTaps(low.clip(0, size - 1), (low + 1).clip(0, size - 1), positions.astype(np.float32) - below)


def logit_taps(start: int, stop: int, *, output: int, size: int, align_corners: bool) -> InterpolationTaps:
    """Compute taps for logits, with torch's rounding; otherwise like :func:`image_taps`.

    With ``align_corners``, the centers of the first pixels coincide, and so do those of the last pixels.
    """
    pixels = np.arange(start, stop, dtype=np.float64)
    if align_corners:
        positions = np.float32((size - 1) / max(output - 1, 1)) * pixels
    else:  # torch multiplies and subtracts with a single rounding (FMA)
        positions = np.maximum(np.float32(size / output) * (pixels + 0.5) - 0.5, 0)
    rounded = positions.astype(np.float32)
    low = np.minimum(rounded.astype(np.int64), size - 1)
    weight = rounded - low.astype(np.float32)
    return InterpolationTaps(low, np.where(weight > 0, np.minimum(low + 1, size - 1), low), weight)


def resize_image(
    raster: Raster, rows: InterpolationTaps, cols: InterpolationTaps, *, fill: NDArray[np.float64]
) -> Raster:
    """Interpolate a raster.

    Args:
        raster: The source.
        rows: Taps along the rows.
        cols: Taps along the columns.
        fill: Values (band,) that replace invalid pixels.

    Returns:
        The resized raster. uint8 values are identical to those of OpenCV's ``INTER_LINEAR``; all other types become
        float32. A pixel is valid if the nearest source pixel is valid.
    """
    values = np.where(raster.valid, raster.values, _cast(fill, raster.values.dtype)[:, None, None])
    interpolate = _interpolate_bytes if values.dtype == np.uint8 else _interpolate_floats
    nearest = [np.where(taps.weight < np.float32(0.5), taps.low, taps.high) for taps in (rows, cols)]
    valid = raster.valid[np.ix_(*nearest)]
    return Raster(interpolate(values, rows, cols), valid, raster.grid.with_shape(*valid.shape))


def resize_logits(
    logits: Float[Tensor, "*any row col"], rows: InterpolationTaps, cols: InterpolationTaps
) -> Float[Tensor, "*any out_row out_col"]:
    """Interpolate logits along the last two axes."""
    return _interpolate_axis(_interpolate_axis(logits, cols, axis=-1), rows, axis=-2)


def _interpolate_axis(logits: Tensor, taps: InterpolationTaps, *, axis: int) -> Tensor:
    if not taps.weight.any():
        return logits.index_select(axis, torch.from_numpy(taps.low).to(logits.device))
    low, high = (logits.index_select(axis, torch.from_numpy(each).to(logits.device)) for each in (taps.low, taps.high))
    weight = torch.from_numpy(taps.weight).to(logits.device)
    weight = weight if axis == -1 else weight[:, None]
    return low.mul_(1 - weight).add_(high.mul_(weight))


def _interpolate_bytes(
    values: NDArray[np.uint8], rows: InterpolationTaps, cols: InterpolationTaps
) -> NDArray[np.uint8]:
    """Interpolate as in OpenCV (``VResizeLinearVec_32s8u``), with 11-bit weights; 4, 16 and 2 bits are dropped."""
    before, after = _integer_weights(cols)
    across = values[..., cols.low].astype(np.int32) * before + values[..., cols.high] * after
    across >>= 4
    above, below = _integer_weights(rows)
    upper, lower = across[:, rows.low] * above[:, None], across[:, rows.high] * below[:, None]
    return (((upper >> 16) + (lower >> 16) + 2) >> 2).clip(0, 255).astype(np.uint8)


def _integer_weights(taps: InterpolationTaps) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    rest = np.rint((np.float32(1) - taps.weight) * np.float32(OPENCV_WEIGHT_ONE)).astype(np.int32)
    return rest, np.rint(taps.weight * np.float32(OPENCV_WEIGHT_ONE)).astype(np.int32)


def _interpolate_floats(values: NDArray[Any], rows: InterpolationTaps, cols: InterpolationTaps) -> NDArray[np.float32]:
    values = values.astype(np.float32)
    across = values[..., cols.low] * (1 - cols.weight) + values[..., cols.high] * cols.weight
    down = rows.weight[:, None]
    return (across[:, rows.low] * (1 - down) + across[:, rows.high] * down).astype(np.float32, copy=False)


def _cast(fill: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return fill.astype(dtype)
    limits = np.iinfo(dtype)
    return np.rint(fill).clip(limits.min, limits.max).astype(dtype)
