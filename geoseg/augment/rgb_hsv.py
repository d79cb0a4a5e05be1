"""Colours of 8 bit as hue, saturation and value, and back, to the last bit as OpenCV computes them.

Hue is counted in steps of 2 degrees (0 … 179), saturation and value from 0 to 255. The formulas are those of Smith
(Color gamut transform pairs, SIGGRAPH 1978), the roundings OpenCV's (``color_hsv.simd.hpp``, equal in 4.11 and 5.0):
there in whole numbers, rounded; back in float32, cut off, so that a round trip darkens many colours by a step.

OpenCV works on 16 to 64 pixels at once, by the processor. Pixels that are left over at the end of a row it rounds, where
all others are cut off; we cut off all. On processors without fused multiply-add it rounds once more, which changes
1 colour in 7000 by a step; we compute what the others do.

What is done to one pixel has no branches, so that the loop over pixels becomes vector instructions.
"""

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled

HUES = 180
"""Steps of hue in a circle. A sixth of them is a sector, in which the order of red, green and blue is the same."""

SHIFT = 12
HALF = 1 << (SHIFT - 1)
"""Whole numbers stand for fractions of 2^SHIFT; HALF is added before they are cut off, which rounds."""

ONE, FULL = np.float32(1), np.float32(255)
HUE_SCALE, SATURATION_SCALE = np.float32((HUES << SHIFT) // 6), np.float32(255 << SHIFT)
PER_LEVEL, PER_STEP = np.float32(1 / 255), np.float32(6 / HUES)


@compiled
def to_hsv(red: np.int32, green: np.int32, blue: np.int32) -> tuple[np.int32, np.int32, np.int32]:
    """Levels 0 … 255 to (hue 0 … 179, saturation 0 … 255, value 0 … 255)."""
    value = max(red, green, blue)
    spread = value - min(red, green, blue)
    ahead = blue - red + 2 * spread if value == green else red - green + 4 * spread
    ahead = green - blue if value == red else ahead
    hue_each = np.int32(np.rint(HUE_SCALE / max(np.float32(spread), ONE)))
    saturation_each = np.int32(np.rint(SATURATION_SCALE / max(np.float32(value), ONE)))
    hue = (ahead * hue_each + HALF) >> SHIFT
    return hue + HUES if hue < 0 else hue, (spread * saturation_each + HALF) >> SHIFT, value


@compiled
def to_rgb(hue: np.int32, saturation: np.int32, value: np.int32) -> tuple[np.int32, np.int32, np.int32]:
    """The way back: (red, green, blue), levels 0 … 255."""
    scaled = np.float32(hue) * PER_STEP
    sector = np.int32(scaled)
    part = scaled - np.float32(sector)
    part = part if sector & 1 else ONE - part
    share, level = np.float32(saturation) * PER_LEVEL, np.float32(value) * PER_LEVEL
    # The product of two float32 is exact in float64: the difference is rounded once, as fused multiply-add does it.
    distance = np.float32(1.0 - np.float64(share) * np.float64(part))
    low, middle = np.int32(level * (ONE - share) * FULL), np.int32(level * distance * FULL)
    red = value if sector in (0, 5) else middle if sector in (1, 4) else low
    green = value if sector in (1, 2) else middle if sector in (0, 3) else low
    blue = value if sector in (3, 4) else middle if sector in (2, 5) else low
    return red, green, blue


@compiled
def recolour(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8], turn: int, factor: np.float32
) -> None:
    """Adds ``turn`` (0 … 179) to the hue and multiplies saturation, clipped and cut off, of pixels (pixel,) in place.

    Stands here, because numba looks for changes in the file of a cached function only.
    """
    for i in range(len(red)):
        hue, saturation, value = to_hsv(np.int32(red[i]), np.int32(green[i]), np.int32(blue[i]))
        hue += turn
        hue = hue - HUES if hue >= HUES else hue
        saturated = np.int32(min(np.float32(saturation) * factor, FULL))
        red[i], green[i], blue[i] = to_rgb(hue, saturated, value)
