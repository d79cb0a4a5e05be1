"""Test-time augmentation: the same image is shown to the network in several *variants*, and the answers are averaged.

A variant is a scale and one of the eight symmetries of a square: rows reversed, columns reversed, and then, perhaps, rows
and columns exchanged. ``ms+flip`` is what the OpenMMLab zoo calls so: six scales, each without and with the columns
reversed, in that order.
"""

from dataclasses import dataclass
from itertools import product

from torch import Tensor

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
"""The zoo's scales: its ``img_ratios``."""


@dataclass(frozen=True)
class Variant:
    """One way of showing an image."""

    scale: float = 1.0
    """Pixels of the variant along one of the image's."""
    flip_rows: bool = False
    """The last row becomes the first."""
    flip_cols: bool = False
    """The last column becomes the first: what is called a horizontal flip."""
    transposed: bool = False
    """Rows and columns are exchanged, after flipping."""

    def turn(self, images: Tensor) -> Tensor:
        """Images (..., row, col) as the network gets to see them; nothing is scaled here."""
        flipped = self._flip(images)
        return flipped.mT if self.transposed else flipped

    def turn_back(self, logits: Tensor) -> Tensor:
        """What the network said of a turned image, for the image itself; axes (..., row, col)."""
        return self._flip(logits.mT if self.transposed else logits)

    def _flip(self, images: Tensor) -> Tensor:
        axes = [axis for axis, flips in ((-2, self.flip_rows), (-1, self.flip_cols)) if flips]
        return images.flip(axes) if axes else images


Variants = tuple[Variant, ...]


AS_IT_IS = Variant()


TTA: dict[str, Variants] = {
    "none": (AS_IT_IS,),
    "flip": (AS_IT_IS, Variant(flip_cols=True)),
    "d4": tuple(Variant(1.0, *turns) for turns in product((False, True), repeat=3)),
    "ms+flip": tuple(Variant(scale, flip_cols=flips) for scale, flips in product(SCALES, (False, True))),
}
"""The sets of variants by name."""
