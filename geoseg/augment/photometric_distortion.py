"""A bit-identical implementation of mmsegmentation's PhotoMetricDistortion for three 8-bit bands.

Brightness is an offset and contrast is a factor; the saturation and hue changes each convert to HSV and back. All
changes except hue are computed in float32, clipped to the range 0 to 255 and truncated, one after the other. The three
bands are treated as red, green and blue, as mmsegmentation does when it trains on near-infrared, red and green bands.

The conversion to HSV and back is bit-identical to OpenCV's. Hue is in steps of 2 degrees (0 to 179); saturation and
value range from 0 to 255. The formulas are those of Smith (Color gamut transform pairs, SIGGRAPH 1978) with OpenCV's
rounding (``color_hsv.simd.hpp``, identical in 4.11 and 5.0): integers with rounding for the conversion to HSV, float32
with truncation for the conversion to RGB, so that a round trip darkens many colors by one level.

OpenCV processes 16 to 64 pixels per instruction, depending on the processor. It rounds the remaining pixels of a row
instead of truncating them; this module always truncates. Without fused multiply-add, OpenCV rounds one more time, which
changes 1 in 7,000 colors by one level; this module computes the fused result.

The per-pixel code has no branches, so that the loop compiles to vector instructions.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from geoseg._numba_jit import njit
from geoseg.config.recipe import AugmentSection

NONE = np.float32(0)
HUE_STEPS = 180
"""Number of steps of the hue circle. Each sixth of the circle is a sector in which the order of red, green and
blue by level is constant."""

FRACTION_BITS = 12
ROUNDING_HALF = 1 << (FRACTION_BITS - 1)
"""Fixed-point numbers have FRACTION_BITS fraction bits; ROUNDING_HALF is added before truncation."""

ONE, MAX_LEVEL = np.float32(1), np.float32(255)
HUE_SCALE, SATURATION_SCALE = np.float32((HUE_STEPS << FRACTION_BITS) // 6), np.float32(255 << FRACTION_BITS)
PER_LEVEL, PER_STEP = np.float32(1 / 255), np.float32(6 / HUE_STEPS)


class DistortionAmounts(NamedTuple):
    """Amounts by which one crop is changed; None skips a change."""

    brightness: float | None = None
    """Value added to all pixels."""
    contrast: float | None = None
    """Factor applied to all pixels."""
    is_contrast_first: bool = True
    """Whether contrast is changed before saturation and hue instead of after them."""
    saturation: float | None = None
    """Factor applied to the saturation. A factor of 1 is not equivalent to None because the HSV conversion rounds."""
    hue: int | None = None
    """Rotation of the hue in steps of 2 degrees."""


def draw_amounts(section: AugmentSection, rng: np.random.Generator) -> DistortionAmounts:
    """Draw random amounts in mmsegmentation's order: for each change, whether to apply it, then its amount.

    Brightness in a recipe is a fraction of 256 levels, and hue is a fraction of 180 steps. The defaults are those of
    mmsegmentation: up to 32 levels of brightness, factors of 0.5 to 1.5 for contrast and saturation, and a hue rotation
    of -18 to 17 steps. A fraction of 0 disables the change.
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
    """Return a copy of an image (3, row, col) with distorted colors."""
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
    """Random photometric distortion of three uint8 bands, with the ranges from an ``augment`` section."""

    def __init__(self, section: AugmentSection) -> None:
        self.section = section

    def __call__(self, image: UInt8[Tensor, "3 row col"], rng: np.random.Generator) -> UInt8[Tensor, "3 row col"]:
        """Return a randomly distorted copy of the image."""
        return torch.from_numpy(distort(image.numpy(), draw_amounts(self.section, rng)))


@njit
def rgb_to_hsv(red: np.int32, green: np.int32, blue: np.int32) -> tuple[np.int32, np.int32, np.int32]:
    """Convert RGB levels (0 to 255) to hue (0 to 179), saturation (0 to 255) and value (0 to 255)."""
    value = max(red, green, blue)
    spread = value - min(red, green, blue)
    ahead = blue - red + 2 * spread if value == green else red - green + 4 * spread
    ahead = green - blue if value == red else ahead
    hue_each = np.int32(np.rint(HUE_SCALE / max(np.float32(spread), ONE)))
    saturation_each = np.int32(np.rint(SATURATION_SCALE / max(np.float32(value), ONE)))
    hue = (ahead * hue_each + ROUNDING_HALF) >> FRACTION_BITS
    return hue + HUE_STEPS if hue < 0 else hue, (spread * saturation_each + ROUNDING_HALF) >> FRACTION_BITS, value


@njit
def hsv_to_rgb(hue: np.int32, saturation: np.int32, value: np.int32) -> tuple[np.int32, np.int32, np.int32]:
    """Convert hue, saturation and value to RGB levels (0 to 255)."""
    scaled = np.float32(hue) * PER_STEP
    sector = np.int32(scaled)
    part = scaled - np.float32(sector)
    part = part if sector & 1 else ONE - part
    share, level = np.float32(saturation) * PER_LEVEL, np.float32(value) * PER_LEVEL
    # The product of two float32 numbers is exact in float64, so the difference is rounded once, as with fused
    # multiply-add.
    distance = np.float32(1.0 - np.float64(share) * np.float64(part))
    low, middle = np.int32(level * (ONE - share) * MAX_LEVEL), np.int32(level * distance * MAX_LEVEL)
    red = value if sector in (0, 5) else middle if sector in (1, 4) else low
    green = value if sector in (1, 2) else middle if sector in (0, 3) else low
    blue = value if sector in (3, 4) else middle if sector in (2, 5) else low
    return red, green, blue


@njit
def shift_hue_scale_saturation(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8], turn: int, factor: np.float32
) -> None:
    """Add ``turn`` (0 to 179) to the hue of pixels and multiply their saturation by ``factor``, in place.

    This function is in the same module as the functions it calls because numba's cache detects changes only in the file
    that defines the cached function.
    """
    for i in range(len(red)):
        hue, saturation, value = rgb_to_hsv(np.int32(red[i]), np.int32(green[i]), np.int32(blue[i]))
        hue += turn
        hue = hue - HUE_STEPS if hue >= HUE_STEPS else hue
        saturated = np.int32(min(np.float32(saturation) * factor, MAX_LEVEL))
        red[i], green[i], blue[i] = hsv_to_rgb(hue, saturated, value)
