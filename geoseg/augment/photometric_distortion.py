"""The zoo's photometric distortion: mmsegmentation's PhotoMetricDistortion, bit for bit, for three bands of 8 bit.

Brightness is added to, contrast multiplies the levels; saturation and hue are changed in HSV, each on a round trip of
its own. All but hue are computed in float32, clipped to 0 … 255 and cut off to whole levels, change by change. The three
bands count as red, green and blue in their order, whatever they show, as in the zoo's training on near infrared, red and
green.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from geoseg._numba import compiled
from geoseg.augment.rgb_hsv import FULL, HUES, recolour
from geoseg.config.recipe import AugmentSection

NONE = np.float32(0)


class Amounts(NamedTuple):
    """What is done to one crop; None leaves a change away."""

    brightness: float | None = None
    """Levels that are added."""
    contrast: float | None = None
    """Factor of all levels."""
    is_contrast_first: bool = True
    """True: contrast comes before saturation and hue; False: after them."""
    saturation: float | None = None
    """Factor of the saturation. 1 is not quite None: the way to HSV and back loses a little."""
    hue: int | None = None
    """Steps of 2 degrees that the hue is turned by."""


def draw(section: AugmentSection, rng: np.random.Generator) -> Amounts:
    """Random amounts, drawn in the zoo's order: a coin for each change, and its amount only where the coin says so.

    A recipe's shares become the zoo's units by 256 levels and 180 steps of hue: its defaults are the zoo's 32 levels,
    0.5 … 1.5, 0.5 … 1.5, and -18 … 17 steps. A share of 0 leaves the change away, whatever the coin says.
    """

    def uniform(middle: float, limit: float) -> float | None:
        is_wanted = rng.integers(2) and limit > 0
        return rng.uniform(middle - limit, middle + limit) if is_wanted else None

    brightness = uniform(0, 256 * section.brightness)
    is_first = bool(rng.integers(2))
    contrast = uniform(1, section.contrast) if is_first else None
    saturation = uniform(1, section.saturation)
    steps = round(HUES * section.hue)
    hue = int(rng.integers(-steps, steps)) if rng.integers(2) and steps > 0 else None
    contrast = contrast if is_first else uniform(1, section.contrast)
    return Amounts(brightness, contrast, is_first, saturation, hue)


def distorted(image: NDArray[np.uint8], amounts: Amounts) -> NDArray[np.uint8]:
    """The image (3, row, col) with its colours changed by these amounts, as a new array."""
    assert image.dtype == np.uint8
    assert len(image) == 3
    changed = np.array(image, order="C")
    bands = changed.reshape(3, -1)
    if amounts.brightness is not None:
        _scale(bands, 1, amounts.brightness)
    if amounts.contrast is not None and amounts.is_contrast_first:
        _scale(bands, amounts.contrast, 0)
    if amounts.saturation is not None:
        recolour(bands[0], bands[1], bands[2], 0, np.float32(amounts.saturation))
    if amounts.hue is not None:
        recolour(bands[0], bands[1], bands[2], amounts.hue % HUES, np.float32(1))
    if amounts.contrast is not None and not amounts.is_contrast_first:
        _scale(bands, amounts.contrast, 0)
    return changed


def _scale(bands: NDArray[np.uint8], factor: float, shift: float) -> None:
    """Level * factor + shift, clipped and cut off, in place."""
    _scale_levels(bands.reshape(-1), np.float32(factor), np.float32(shift))


@compiled
def _scale_levels(levels: NDArray[np.uint8], factor: np.float32, shift: np.float32) -> None:
    for i in range(len(levels)):
        levels[i] = np.uint8(min(max(np.float32(levels[i]) * factor + shift, NONE), FULL))


class ZooColours:
    """Changes three bands of uint8 by random amounts, as a recipe's augment section limits them."""

    def __init__(self, section: AugmentSection) -> None:
        self.section = section

    def __call__(self, image: UInt8[Tensor, "3 row col"], rng: np.random.Generator) -> UInt8[Tensor, "3 row col"]:
        """The image with other colours, by random numbers from ``rng``."""
        return torch.from_numpy(distorted(image.numpy(), draw(self.section, rng)))
