"""Changes of colour by one affine map per crop.

Contrast and brightness act on every band and, for red, green and blue, saturation (towards the luma of Rec. 601) and
hue (a turn in the plane of the chroma of YIQ). All are linear in the pixel values, so one matrix does them in one pass,
and pixels are rounded and clipped once.
"""

import math

import numpy as np
import torch
from jaxtyping import Num
from numpy.typing import NDArray
from torch import Tensor

from geoseg.config.recipe import AugmentSection

RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Luma and chroma of NTSC (Rec. 601 weights)."""

YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)

AT_ONCE = 32_768
"""Pixels that are recoloured at once: their floats stay in the processor's cache, in memory that is used again."""


class LinearColours:
    """What a recipe's augment section says of colours, for any number of bands and any type of pixels.

    ``smallest`` and ``largest`` are the value range of all bands (0 and 255 for uint8); ``is_rgb`` (bands red, green, blue
    in this order) allows changes of saturation and hue.
    """

    def __init__(self, section: AugmentSection, *, smallest: float, largest: float, is_rgb: bool) -> None:
        self.section, self.is_rgb = section, is_rgb
        self.smallest, self.largest = smallest, largest

    def __call__(self, image: Num[Tensor, "band row col"], rng: np.random.Generator) -> Num[Tensor, "band row col"]:
        """The image with other colours, by random numbers from ``rng``."""
        matrix, shift = self._colour_map(image.shape[0], rng)
        return _recoloured(image, matrix, shift, self.smallest, self.largest)

    def _colour_map(self, bands: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """(matrix (band, band), shift) of the change of colours; each kind of change has probability 1/2."""
        contrast = 1 + self._drawn(self.section.contrast, rng)
        shift = self._drawn(self.section.brightness, rng) * (self.largest - self.smallest)
        saturation, turn = 1 + self._drawn(self.section.saturation, rng), self._drawn(self.section.hue, rng)
        matrix = np.eye(bands)
        if self.is_rgb and (saturation, turn) != (1, 0):  # there and back through YIQ is the identity but for rounding
            cosine, sine = (saturation * f(2 * math.pi * turn) for f in (math.cos, math.sin))
            chroma = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
            matrix = YIQ_TO_RGB @ chroma @ RGB_TO_YIQ
        return contrast * matrix, shift

    @staticmethod
    def _drawn(limit: float, rng: np.random.Generator) -> float:
        amount, coin = rng.uniform(-limit, limit), rng.random()
        return amount if coin < 0.5 else 0.0


def _recoloured(image: Tensor, matrix: NDArray[np.float64], shift: float, smallest: float, largest: float) -> Tensor:
    """Pixels times the matrix plus the shift, clipped to ``smallest`` … ``largest``, in their own type."""
    if shift == 0 and np.array_equal(matrix, np.eye(len(matrix))):
        return image
    whole = not image.is_floating_point()
    # Whole numbers are rounded by adding a half and cutting off, which is one pass less.
    offset, factors = torch.full((len(matrix), 1), shift + 0.5 * whole), torch.from_numpy(matrix).float()
    pixels = image.reshape(len(matrix), -1)
    changed = torch.empty_like(pixels)
    for start in range(0, pixels.shape[1], AT_ONCE):
        part = (slice(None), slice(start, start + AT_ONCE))
        numbers = torch.addmm(offset, factors, pixels[part].float()).clamp_(smallest, largest + 0.5 * whole)
        changed[part] = numbers.int() if whole else numbers  # torch cuts off to 32 bits five times as fast as to 8
    return changed.reshape(image.shape)
