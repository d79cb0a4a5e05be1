"""Random augmentation of a training crop: geometric transforms apply to the image, target and validity mask, color
transforms to the image only.
"""

from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Num, UInt8
from torch import Tensor

from geoseg.augment.color_jitter import LinearColorJitter
from geoseg.augment.photometric_distortion import PhotometricDistortion
from geoseg.config.recipe import AugmentSection

CropTensors = tuple[Num[Tensor, "band row col"], UInt8[Tensor, "row col"], Bool[Tensor, "row col"]]
"""Image, target and validity mask of a crop."""


class ColorTransform(Protocol):
    """A random color transform for crops."""

    def __call__(self, image: Num[Tensor, "band row col"], rng: np.random.Generator) -> Num[Tensor, "band row col"]:
        """Return the color-augmented image with the same dtype, without modifying the input."""
        ...


class Augmentation:
    """The augmentation defined by the ``augment`` section of a recipe, applied to one square crop at a time.

    Args:
        section: Probabilities and ranges of the transforms.
        largest: Upper limit of pixel values, the same for all bands (255 for uint8).
        is_rgb: Whether the bands are red, green and blue, in this order, which enables linear changes in saturation and
            hue. mmsegmentation's distortion applies to any three uint8 bands.
        smallest: Lower limit of pixel values, the same for all bands.
    """

    def __init__(self, section: AugmentSection, *, largest: float, is_rgb: bool, smallest: float = 0.0) -> None:
        self.section = section
        self.change_colors: ColorTransform
        if section.photometric == "openmmlab":
            self.change_colors = PhotometricDistortion(section)
        else:
            self.change_colors = LinearColorJitter(section, smallest=smallest, largest=largest, is_rgb=is_rgb)

    def __call__(
        self,
        image: Num[Tensor, "band row col"],
        target: UInt8[Tensor, "row col"],
        valid: Bool[Tensor, "row col"],
        rng: np.random.Generator,
    ) -> CropTensors:
        """Flip, rotate and recolor a crop with random numbers from ``rng``."""
        axes, turns = self._draw_geometry(rng)
        image, target, valid = (_flip_and_rotate(field, axes, turns) for field in (image, target, valid))
        return self.change_colors(image, rng), target, valid

    def _draw_geometry(self, rng: np.random.Generator) -> tuple[list[int], int]:
        """Draw the axes to flip and the number of quarter turns."""
        probabilities = {-1: self.section.horizontal_flip, -2: self.section.vertical_flip}
        axes = [axis for axis, probability in probabilities.items() if rng.random() < probability]
        return axes, int(rng.integers(4)) if rng.random() < self.section.rotate90 else 0


def _flip_and_rotate(field: Tensor, axes: list[int], turns: int) -> Tensor:
    flipped = field.flip(axes) if axes else field
    return torch.rot90(flipped, turns, (-2, -1)).contiguous() if turns else flipped
