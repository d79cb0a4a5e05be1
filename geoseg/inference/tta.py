"""Test-time augmentation: the network processes several *variants* of an image, and their probabilities are averaged.

A variant combines a scale with one of the eight symmetries of a square: optional vertical and horizontal flips, followed
by an optional transposition. ``ms+flip`` has the same name and definition as in OpenMMLab: six scales, each with and
without a horizontal flip. As in mmsegmentation, the logits of each variant are flipped back, resized to the size of the
image, and passed through softmax before they are averaged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float
from torch import Tensor

from geoseg.inference.resize import image_taps, resize_image, scale_shape
from geoseg.raster.raster import Raster

MULTI_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
"""OpenMMLab's scales (``img_ratios``)."""


@dataclass(frozen=True)
class TtaVariant:
    """One variant of an image."""

    scale: float = 1.0
    """Number of pixels in the variant per pixel of the image, along each axis."""
    flip_rows: bool = False
    """Reverse the order of the rows (vertical flip)."""
    flip_cols: bool = False
    """Reverse the order of the columns (horizontal flip)."""
    transposed: bool = False
    """Exchange rows and columns, after flipping."""

    def turn(self, images: Tensor) -> Tensor:
        """Flip and transpose images (..., row, col); the scale is not applied."""
        flipped = self._flip(images)
        return flipped.mT if self.transposed else flipped

    def turn_back(self, logits: Tensor) -> Tensor:
        """Undo :meth:`turn` on the network's output; axes (..., row, col)."""
        return self._flip(logits.mT if self.transposed else logits)

    def resize(self, raster: Raster, *, fill: Sequence[float]) -> Raster:
        """Resize a raster to the scale of the variant; invalid pixels are first set to ``fill`` (band,)."""
        if self.scale == 1:
            return raster
        height, width = raster.grid.shape
        rows, cols = scale_shape(height, width, self.scale)
        row_taps, col_taps = (
            image_taps(0, rows, output=rows, size=height),
            image_taps(0, cols, output=cols, size=width),
        )
        return resize_image(raster, row_taps, col_taps, fill=np.array(fill))

    def _flip(self, images: Tensor) -> Tensor:
        axes = [axis for axis, flips in ((-2, self.flip_rows), (-1, self.flip_cols)) if flips]
        return images.flip(axes) if axes else images


TtaVariants = tuple[TtaVariant, ...]


IDENTITY = TtaVariant()
"""The image itself."""


TTA: dict[str, TtaVariants] = {
    "none": (IDENTITY,),
    "flip": (IDENTITY, TtaVariant(flip_cols=True)),
    "d4": tuple(TtaVariant(1.0, *turns) for turns in product((False, True), repeat=3)),
    "ms+flip": tuple(TtaVariant(scale, flip_cols=flips) for scale, flips in product(MULTI_SCALES, (False, True))),
}
"""Sets of variants by name."""


def mean_probabilities(logits: Iterator[Float[Tensor, "class row col"]], count: int) -> Float[Tensor, "class row col"]:
    """Average the probabilities of ``count`` variants, given as logits.

    If there is a single variant, its logits are returned unchanged, because the most probable class is the same.
    """
    if count == 1:
        return next(logits)
    total = next(logits).softmax(dim=0)
    for each in logits:
        total += each.softmax(dim=0)
    return total / count
