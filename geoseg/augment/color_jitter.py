"""Color jitter as a single affine transform per crop.

Contrast and brightness apply to every band. Saturation (relative to the Rec. 601 luma) and hue (a rotation in the
chroma plane of YIQ) apply to red, green and blue. All changes are linear in the pixel values, so they are combined into
one matrix, and pixels are rounded and clipped only once.
"""

import math

import numpy as np
import torch
from jaxtyping import Num
from numpy.typing import NDArray
from torch import Tensor

from geoseg.config.recipe import AugmentSection

RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Matrix that converts RGB to YIQ, the luma and chroma of NTSC (Rec. 601 weights)."""

YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)

BLOCK_PIXELS = 32_768
"""Pixels per block; the floating-point values of a block fit in the processor cache."""


class LinearColorJitter:
    """The linear color changes in an ``augment`` section, for any number of bands and any dtype.

    Args:
        section: Ranges of the color changes.
        smallest: Lower limit of pixel values, the same for all bands.
        largest: Upper limit of pixel values, the same for all bands (255 for uint8).
        is_rgb: Whether the bands are red, green and blue, in this order, which enables changes in saturation and hue.
    """

    def __init__(self, section: AugmentSection, *, smallest: float, largest: float, is_rgb: bool) -> None:
        self.section, self.is_rgb = section, is_rgb
        self.smallest, self.largest = smallest, largest

    def __call__(self, image: Num[Tensor, "band row col"], rng: np.random.Generator) -> Num[Tensor, "band row col"]:
        """Return the image with random color changes."""
        matrix, shift = self._draw_affine_map(image.shape[0], rng)
        return _apply_affine_map(image, matrix, shift, self.smallest, self.largest)

    def _draw_affine_map(self, bands: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """Draw the matrix (band, band) and the shift; each type of change is applied with probability 1/2."""
        contrast = 1 + self._draw_amount(self.section.contrast, rng)
        shift = self._draw_amount(self.section.brightness, rng) * (self.largest - self.smallest)
        saturation, turn = 1 + self._draw_amount(self.section.saturation, rng), self._draw_amount(self.section.hue, rng)
        matrix = np.eye(bands)
        if self.is_rgb and (saturation, turn) != (1, 0):  # otherwise the identity, except for rounding
            cosine, sine = (saturation * f(2 * math.pi * turn) for f in (math.cos, math.sin))
            chroma = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
            matrix = YIQ_TO_RGB @ chroma @ RGB_TO_YIQ
        return contrast * matrix, shift

    @staticmethod
    def _draw_amount(limit: float, rng: np.random.Generator) -> float:
        amount, coin = rng.uniform(-limit, limit), rng.random()
        return amount if coin < 0.5 else 0.0


def _apply_affine_map(
    image: Tensor, matrix: NDArray[np.float64], shift: float, smallest: float, largest: float
) -> Tensor:
    """Apply the matrix and the shift, clip to the range from ``smallest`` to ``largest``, and keep the dtype."""
    if shift == 0 and np.array_equal(matrix, np.eye(len(matrix))):
        return image
    is_integer = not image.is_floating_point()
    # Integers are rounded by adding 0.5 and truncating, which saves a pass over the data.
    offset, factors = torch.full((len(matrix), 1), shift + 0.5 * is_integer), torch.from_numpy(matrix).float()
    pixels = image.reshape(len(matrix), -1)
    changed = torch.empty_like(pixels)
    for start in range(0, pixels.shape[1], BLOCK_PIXELS):
        part = (slice(None), slice(start, start + BLOCK_PIXELS))
        numbers = torch.addmm(offset, factors, pixels[part].float()).clamp_(smallest, largest + 0.5 * is_integer)
        changed[part] = (
            numbers.int() if is_integer else numbers
        )  # torch truncates to 32-bit integers five times as fast as to 8-bit integers
    return changed.reshape(image.shape)
