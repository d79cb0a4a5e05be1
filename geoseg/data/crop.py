"""A crop: a small image with its target, as training sees it."""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Num, UInt8
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import resize

from geoseg.data.plan import CropPlan
from geoseg.data.prepared import PreparedScene
from geoseg.legend import IGNORE_INDEX


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
