"""Convert 8-bit RGB to HSV and back, bit-identical to OpenCV.

Hue is in steps of 2 degrees (0 to 179), saturation and value are 0 to 255. The formulas are those of Smith (Color gamut
transform pairs, SIGGRAPH 1978) with OpenCV's rounding (``color_hsv.simd.hpp``, equal in 4.11 and 5.0): integers with
rounding to HSV, float32 with truncation to RGB, so that a round trip darkens many colors by one level.

OpenCV processes 16 to 64 pixels per instruction, depending on the processor. It rounds the remaining pixels of a row
instead of truncating them; this module always truncates. Without fused multiply-add, OpenCV rounds once more, which
changes 1 color in 7000 by one level; this module computes the fused result.

The code per pixel has no branches, so that the loop compiles to vector instructions.
"""

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import njit

HUE_STEPS = 180
"""Steps of the hue circle. A sixth of them is a sector, in which red, green and blue have the same order."""

FRACTION_BITS = 12
ROUNDING_HALF = 1 << (FRACTION_BITS - 1)
"""Fixed-point numbers have FRACTION_BITS fraction bits; ROUNDING_HALF is added before truncation."""

ONE, MAX_LEVEL = np.float32(1), np.float32(255)
HUE_SCALE, SATURATION_SCALE = np.float32((HUE_STEPS << FRACTION_BITS) // 6), np.float32(255 << FRACTION_BITS)
PER_LEVEL, PER_STEP = np.float32(1 / 255), np.float32(6 / HUE_STEPS)


@njit
def rgb_to_hsv(red: np.int32, green: np.int32, blue: np.int32) -> tuple[np.int32, np.int32, np.int32]:
    """Convert levels 0 to 255 to (hue 0 to 179, saturation 0 to 255, value 0 to 255)."""
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
    """Convert hue, saturation and value to (red, green, blue), levels 0 to 255."""
    scaled = np.float32(hue) * PER_STEP
    sector = np.int32(scaled)
    part = scaled - np.float32(sector)
    part = part if sector & 1 else ONE - part
    share, level = np.float32(saturation) * PER_LEVEL, np.float32(value) * PER_LEVEL
    # The product of two float32 is exact in float64, so the difference is rounded once, as with fused multiply-add.
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
    """Add ``turn`` (0 to 179) to the hue and multiply the saturation of pixels (pixel,) in place.

    Defined in this module because numba's cache tracks changes only in the file of a cached function.
    """
    for i in range(len(red)):
        hue, saturation, value = rgb_to_hsv(np.int32(red[i]), np.int32(green[i]), np.int32(blue[i]))
        hue += turn
        hue = hue - HUE_STEPS if hue >= HUE_STEPS else hue
        saturated = np.int32(min(np.float32(saturation) * factor, MAX_LEVEL))
        red[i], green[i], blue[i] = hsv_to_rgb(hue, saturated, value)
