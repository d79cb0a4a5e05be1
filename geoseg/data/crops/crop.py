"""A crop before it is cut: which pixels are read, and how they fill it; and how a place is drawn at random.

Training pipelines magnify a piece of a scene and cut a window out of it. A piece of L pixels magnified by m has
L' = int(L m + 1/2) pixels, and the crop begins at any of L' - size + 1 of them. Here the pixels of the scene under the
crop are read and resampled to its size, once. A piece that is smaller than the crop when magnified is read whole; what
it leaves of the crop, on the right and below, is padding.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Num, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX


@dataclass(frozen=True)
class CropPlan:
    """Where one crop is cut."""

    scene: int
    """Position of the scene in the sampler's list."""
    window: Window
    """The scene's pixels that are read; may reach outside."""
    size: int
    """Side of the crop, pixels."""
    core: Window | None = None
    """Part of the crop that counts (in pixels of the crop); outside it the target is "not labelled". None: all."""
    shape: tuple[int, int] | None = None
    """(height, width) that the window is resampled to; the rest of the crop is padding. None: all of the crop."""


def drawn(
    rng: np.random.Generator,
    scene: int,
    piece: Window,
    *,
    size: int,
    scale: tuple[float, float],
    through: tuple[int, int] | None = None,
) -> CropPlan:
    """A crop of ``size`` pixels at a uniformly random place of a piece magnified uniformly within ``scale``.

    With ``through``, (row, col) of a pixel of the scene, only places whose crop holds it.
    """
    magnification = rng.uniform(*scale)
    pixel = (None, None) if through is None else (through[0] - piece.row, through[1] - piece.col)
    (row, height, rows), (col, width, cols) = (
        _drawn(rng, length, size, magnification, at) for length, at in zip(piece.shape, pixel, strict=True)
    )
    window = Window(piece.row + row, piece.col + col, height, width)
    return CropPlan(scene, window, size, shape=None if (rows, cols) == (size, size) else (rows, cols))


def _drawn(
    rng: np.random.Generator, length: int, size: int, magnification: float, pixel: int | None
) -> tuple[int, int, int]:
    """One axis: (first pixel, pixels to read, pixels of the crop they fill)."""
    magnified = max(int(length * magnification + 0.5), 1)
    filled = min(magnified, size)
    least, most = 0, magnified - filled
    if pixel is not None:
        there = int((pixel + 0.5) * magnified / length)
        least, most = max(there - filled + 1, least), min(there, most)
    start = int(rng.integers(least, most + 1))
    # Halves go down: a crop that begins in the middle of a pixel holds it, as ``there`` says.
    first, stop = (math.ceil(edge * length / magnified - 0.5) for edge in (start, start + filled))
    return min(first, length - 1), max(stop - first, 1), filled


class Crop(NamedTuple):
    """Image, target and validity of one window; batches of crops are stacked field by field."""

    image: Num[Tensor, "*batch band row col"]
    """Pixels as in the scene, not normalised; 0 where not valid."""
    target: UInt8[Tensor, "*batch row col"]
    """Class indices; 255 where not labelled."""
    valid: Bool[Tensor, "*batch row col"]
    """True where the image has data."""


def cut(scene: PreparedScene, plan: CropPlan) -> Crop:
    """The crop of a plan: read once, resampled once (image bilinear with antialiasing, target and validity nearest)."""
    image, target, valid = scene.cut(plan.window)
    pixels, shape = _pixels(image), plan.shape or (plan.size, plan.size)
    if plan.window.shape != shape:
        pixels = resize(pixels, list(shape), InterpolationMode.BILINEAR, antialias=True)
        target = _nearest(target, shape)
        valid = np.ones(shape, bool) if valid.all() else _nearest(valid, shape)
    crop = Crop(pixels.contiguous(), torch.from_numpy(target), torch.from_numpy(valid))
    if shape != (plan.size, plan.size):
        crop = _padded(crop, plan.size)
    if plan.core is not None:
        outside = torch.ones_like(crop.valid)
        outside[plan.core.slices()] = False
        crop.target[outside] = IGNORE_INDEX
    return crop


def _pixels(image: NDArray[Any]) -> Tensor:
    """(row, col, band) of any type as a tensor (band, row, col), the bands of a pixel side by side in memory.

    torch resizes that twice as fast as bands one after another, and of all types only uint8 and float32.
    """
    if image.dtype != np.uint8:
        image = image.astype(np.float32)
    if not image.flags.c_contiguous:  # compressed files are read band by band
        image = np.stack([*np.moveaxis(image, -1, 0)], axis=-1)
    return torch.from_numpy(image).permute(2, 0, 1)


def _nearest(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Values (row, col) at the pixels that lie under the centres of those of another shape over the same ground.

    As torch's "nearest-exact" ("nearest" shifts labels by half a pixel against their image), in half the time.
    """
    rows, cols = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, values.shape, strict=True)
    )
    chosen: NDArray[Any] = values.take(rows, axis=0).take(cols, axis=1)
    return chosen


def _padded(crop: Crop, size: int) -> Crop:
    """On the right and below, with what lies outside a scene: not valid, not labelled."""
    height, width = crop.target.shape
    edges = (0, size - width, 0, size - height)
    return Crop(
        F.pad(crop.image, edges), F.pad(crop.target, edges, value=IGNORE_INDEX), F.pad(crop.valid, edges, value=False)
    )
