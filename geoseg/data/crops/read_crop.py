"""Crops of prepared scenes: draw their locations, and read and resample their pixels.

Training pipelines resize a region of a scene by a random factor and cut a window from it. A region of L pixels resized by
the factor m has L' = int(L m + 1/2) pixels, and the crop begins at one of L' - size + 1 positions. This module reads
and resamples only the pixels that the crop covers, and only once. A resized region that is smaller than the crop is
read completely; the rest of the crop, on the right and at the bottom, is padding.
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
from geoseg.raster.resampling_indices import resample_nearest


@dataclass(frozen=True)
class CropPlan:
    """Location of one crop."""

    scene: int
    """Index of the scene in the sampler's list."""
    window: Window
    """Pixels of the scene to read; may extend beyond the scene."""
    size: int
    """Side length of the crop in pixels."""
    core: Window | None = None
    """Part of the crop, in crop pixels, whose labels count; elsewhere, the target is "not labeled". None for the
    entire crop."""
    shape: tuple[int, int] | None = None
    """(height, width) to which the window is resampled; the rest of the crop is padding. None for the entire crop."""


def draw_plan(
    rng: np.random.Generator,
    scene: int,
    region: Window,
    *,
    size: int,
    scale: tuple[float, float],
    containing: tuple[int, int] | None = None,
) -> CropPlan:
    """Draw the location of a crop, and the factor by which its region is resized.

    Args:
        rng: Random number generator.
        scene: Index of the scene.
        region: Pixels of the scene from which the crop is cut.
        size: Side length of the crop in pixels.
        scale: Smallest and largest factor; the factor is drawn uniformly.
        containing: (row, col) of a pixel of the scene that the crop must contain; None allows all locations.

    Returns:
        A plan whose location is uniformly distributed over the allowed locations.
    """
    factor = rng.uniform(*scale)
    pixel = (None, None) if containing is None else (containing[0] - region.row, containing[1] - region.col)
    (row, height, rows), (col, width, cols) = (
        _draw_axis(rng, length, size, factor, position) for length, position in zip(region.shape, pixel, strict=True)
    )
    window = Window(region.row + row, region.col + col, height, width)
    return CropPlan(scene, window, size, shape=None if (rows, cols) == (size, size) else (rows, cols))


def _draw_axis(
    rng: np.random.Generator, length: int, size: int, factor: float, pixel: int | None
) -> tuple[int, int, int]:
    """Return the first pixel and the number of pixels to read along one axis, and the number of crop pixels they fill."""
    resized = max(int(length * factor + 0.5), 1)
    filled = min(resized, size)
    low, high = 0, resized - filled
    if pixel is not None:
        position = int((pixel + 0.5) * resized / length)
        low, high = max(position - filled + 1, low), min(position, high)
    start = int(rng.integers(low, high + 1))
    # Halves are rounded down: a crop that begins in the middle of a pixel contains that pixel, as ``position`` assumes.
    first, stop = (math.ceil(edge * length / resized - 0.5) for edge in (start, start + filled))
    return min(first, length - 1), max(stop - first, 1), filled


class Crop(NamedTuple):
    """The image, target and validity mask of one window, or of a batch of windows."""

    image: Num[Tensor, "*batch band row col"]
    """Pixels as in the scene, not normalized; 0 where not valid."""
    target: UInt8[Tensor, "*batch row col"]
    """Class indices; 255 where not labeled."""
    valid: Bool[Tensor, "*batch row col"]
    """True where the image has data."""


def cut_crop(scene: PreparedScene, plan: CropPlan) -> Crop:
    """Read and resample a planned crop.

    Args:
        scene: The scene that the plan refers to.
        plan: Location of the crop.

    Returns:
        The crop. Its image is resampled bilinearly with antialiasing; its target and validity mask are resampled by
            nearest neighbor.
    """
    image, target, valid = scene.read(plan.window)
    pixels, shape = _to_tensor(image), plan.shape or (plan.size, plan.size)
    if plan.window.shape != shape:
        pixels = resize(pixels, list(shape), InterpolationMode.BILINEAR, antialias=True)
        target = resample_nearest(target, shape)
        valid = np.ones(shape, bool) if valid.all() else resample_nearest(valid, shape)
    crop = Crop(pixels.contiguous(), torch.from_numpy(target), torch.from_numpy(valid))
    if shape != (plan.size, plan.size):
        crop = _pad(crop, plan.size)
    if plan.core is not None:
        outside = torch.ones_like(crop.valid)
        outside[plan.core.slices()] = False
        crop.target[outside] = IGNORE_INDEX
    return crop


def _to_tensor(image: NDArray[Any]) -> Tensor:
    """Return an image (row, col, band) of any type as a tensor (band, row, col) in channels-last memory format.

    torch resizes channels-last images twice as fast, and supports only uint8 and float32 images.
    """
    if image.dtype != np.uint8:
        image = image.astype(np.float32)
    if not image.flags.c_contiguous:  # compressed files are read one band at a time
        image = np.stack([*np.moveaxis(image, -1, 0)], axis=-1)
    return torch.from_numpy(image).permute(2, 0, 1)


def _pad(crop: Crop, size: int) -> Crop:
    """Pad a crop on the right and at the bottom with pixels that are neither valid nor labeled."""
    height, width = crop.target.shape
    edges = (0, size - width, 0, size - height)
    return Crop(
        F.pad(crop.image, edges), F.pad(crop.target, edges, value=IGNORE_INDEX), F.pad(crop.valid, edges, value=False)
    )
