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
    crop = Crop(_pixels(image), torch.from_numpy(target), torch.from_numpy(valid))
    shape = plan.shape or (plan.size, plan.size)
    if plan.window.shape != shape:
        crop = _resized(crop, shape)
    crop = crop._replace(image=crop.image.contiguous())
    if shape != (plan.size, plan.size):
        crop = _padded(crop, plan.size)
    if plan.core is not None:
        outside = torch.ones_like(crop.valid)
        outside[plan.core.slices()] = False
        crop.target[outside] = IGNORE_INDEX
    return crop


def _pixels(image: NDArray[Any]) -> Tensor:
    """(row, col, band) of any type as a tensor (band, row, col) over the same memory, which torch resizes faster.

    torch resizes uint8 and float32 only.
    """
    return torch.from_numpy(image if image.dtype == np.uint8 else image.astype(np.float32)).permute(2, 0, 1)


def _resized(crop: Crop, shape: tuple[int, int]) -> Crop:
    size = list(shape)
    image = resize(crop.image, size, InterpolationMode.BILINEAR, antialias=True)
    # NEAREST rounds down instead, which shifts labels by half a pixel against their image.
    target = resize(crop.target[None], size, InterpolationMode.NEAREST_EXACT)[0]
    if crop.valid.all():
        return Crop(image, target, torch.ones(shape, dtype=torch.bool))
    return Crop(image, target, resize(crop.valid[None], size, InterpolationMode.NEAREST_EXACT)[0])


def _padded(crop: Crop, size: int) -> Crop:
    """On the right and below, with what lies outside a scene: not valid, not labelled."""
    height, width = crop.target.shape
    edges = (0, size - width, 0, size - height)
    return Crop(
        F.pad(crop.image, edges), F.pad(crop.target, edges, value=IGNORE_INDEX), F.pad(crop.valid, edges, value=False)
    )
