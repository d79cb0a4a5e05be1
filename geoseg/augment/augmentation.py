"""Random changes of training crops: geometry moves image, target and validity together, colour touches the image only."""

from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Num, UInt8
from torch import Tensor

from geoseg.augment.color_jitter import LinearColours
from geoseg.augment.photometric_distortion import ZooColours
from geoseg.config.recipe import AugmentSection

Fields = tuple[Num[Tensor, "band row col"], UInt8[Tensor, "row col"], Bool[Tensor, "row col"]]
"""Image, target, validity of one crop."""


class Colours(Protocol):
    """What changes the colours of one crop."""

    def __call__(self, image: Num[Tensor, "band row col"], rng: np.random.Generator) -> Num[Tensor, "band row col"]:
        """The image with other colours, in its own type; the one that is given stays as it is."""
        ...


class Augmentation:
    """What a recipe's augment section says, done to one square crop at a time.

    ``smallest`` and ``largest`` are the value range of all bands (0 and 255 for uint8); ``is_rgb`` (bands red, green, blue
    in this order) allows linear changes of saturation and hue. The zoo's changes take any three bands of uint8.
    """

    def __init__(self, section: AugmentSection, *, largest: float, is_rgb: bool, smallest: float = 0.0) -> None:
        self.section = section
        self.colours: Colours
        if section.photometric == "zoo":
            self.colours = ZooColours(section)
        else:
            self.colours = LinearColours(section, smallest=smallest, largest=largest, is_rgb=is_rgb)

    def __call__(
        self,
        image: Num[Tensor, "band row col"],
        target: UInt8[Tensor, "row col"],
        valid: Bool[Tensor, "row col"],
        rng: np.random.Generator,
    ) -> Fields:
        """The crop, turned, mirrored and recoloured with random numbers from ``rng``."""
        axes, turns = self._movement(rng)
        image, target, valid = (_moved(field, axes, turns) for field in (image, target, valid))
        return self.colours(image, rng), target, valid

    def _movement(self, rng: np.random.Generator) -> tuple[list[int], int]:
        """(axes to mirror, quarter turns)."""
        chances = {-1: self.section.horizontal_flip, -2: self.section.vertical_flip}
        axes = [axis for axis, chance in chances.items() if rng.random() < chance]
        return axes, int(rng.integers(4)) if rng.random() < self.section.rotate90 else 0


def _moved(field: Tensor, axes: list[int], turns: int) -> Tensor:
    moved = field.flip(axes) if axes else field
    return torch.rot90(moved, turns, (-2, -1)).contiguous() if turns else moved
