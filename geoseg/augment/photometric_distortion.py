"""mmsegmentation's PhotoMetricDistortion, bit-identical, for three bands of 8 bit.

Brightness is added and contrast multiplied; saturation and hue each convert to HSV and back. All changes except hue are
computed in float32, clipped to 0 to 255 and truncated, one after the other. The three bands are treated as red, green
and blue, as in mmsegmentation's training on near infrared, red and green.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from geoseg._numba import njit
from geoseg.augment.rgb_hsv import HUE_STEPS, MAX_LEVEL, shift_hue_scale_saturation
from geoseg.config.recipe import AugmentSection

NONE = np.float32(0)


class DistortionAmounts(NamedTuple):
    """Amounts of the changes of one crop; None skips a change."""

    brightness: float | None = None
    """Value added to all pixels."""
    contrast: float | None = None
    """Factor of all pixels."""
    is_contrast_first: bool = True
    """Whether contrast is changed before saturation and hue, or after them."""
    saturation: float | None = None
    """Factor of the saturation. 1 differs from None by the rounding of the HSV conversion."""
    hue: int | None = None
    """Rotation of the hue in steps of 2 degrees."""


def draw_amounts(section: AugmentSection, rng: np.random.Generator) -> DistortionAmounts:
    """Draw random amounts in mmsegmentation's order: whether to change, then the amount.

    Shares in a recipe are converted with 256 levels and 180 hue steps: the defaults are mmsegmentation's 32 levels,
    0.5 to 1.5, 0.5 to 1.5, and -18 to 17 steps. A share of 0 disables the change.
    """

    def uniform(middle: float, limit: float) -> float | None:
        is_wanted = rng.integers(2) and limit > 0
        return rng.uniform(middle - limit, middle + limit) if is_wanted else None

    brightness = uniform(0, 256 * section.brightness)
    is_first = bool(rng.integers(2))
    contrast = uniform(1, section.contrast) if is_first else None
    saturation = uniform(1, section.saturation)
    steps = round(HUE_STEPS * section.hue)
    hue = int(rng.integers(-steps, steps)) if rng.integers(2) and steps > 0 else None
    contrast = contrast if is_first else uniform(1, section.contrast)
    return DistortionAmounts(brightness, contrast, is_first, saturation, hue)


def distort(image: NDArray[np.uint8], amounts: DistortionAmounts) -> NDArray[np.uint8]:
    """Return a copy of an image (3, row, col) with changed colors."""
    assert image.dtype == np.uint8
    assert len(image) == 3
    changed = np.array(image, order="C")
    bands = changed.reshape(3, -1)
    if amounts.brightness is not None:
        _scale(bands, 1, amounts.brightness)
    if amounts.contrast is not None and amounts.is_contrast_first:
        _scale(bands, amounts.contrast, 0)
    if amounts.saturation is not None:
        shift_hue_scale_saturation(bands[0], bands[1], bands[2], 0, np.float32(amounts.saturation))
    if amounts.hue is not None:
        shift_hue_scale_saturation(bands[0], bands[1], bands[2], amounts.hue % HUE_STEPS, np.float32(1))
    if amounts.contrast is not None and not amounts.is_contrast_first:
        _scale(bands, amounts.contrast, 0)
    return changed


def _scale(bands: NDArray[np.uint8], factor: float, shift: float) -> None:
    """Compute level * factor + shift in place, clipped and truncated."""
    _scale_levels(bands.reshape(-1), np.float32(factor), np.float32(shift))


@njit
def _scale_levels(levels: NDArray[np.uint8], factor: np.float32, shift: np.float32) -> None:
    for i in range(len(levels)):
        levels[i] = np.uint8(min(max(np.float32(levels[i]) * factor + shift, NONE), MAX_LEVEL))


class PhotometricDistortion:
    """The distortion of three bands of uint8, with the ranges of a recipe's augment section."""

    def __init__(self, section: AugmentSection) -> None:
        self.section = section

    def __call__(self, image: UInt8[Tensor, "3 row col"], rng: np.random.Generator) -> UInt8[Tensor, "3 row col"]:
        """Return the image with randomly changed colors."""
        return torch.from_numpy(distort(image.numpy(), draw_amounts(self.section, rng)))
