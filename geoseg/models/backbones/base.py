"""What a backbone promises: from images, features at several strides, finest first."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn


class Scaling(NamedTuple):
    """How pixels become what a network sees: (pixel - mean) / std, in units of the scene's pixels."""

    mean: tuple[float, ...]
    """Per band, subtracted first."""
    std: tuple[float, ...]
    """Per band, divided by afterwards."""


IMAGENET = Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and standard deviation of red, green and blue in ImageNet, 8 bit: what the zoo scales three bands by."""


class Backbone(nn.Module, ABC):
    """Images to a list of feature maps.

    Every backbone is constructed with the keywords ``variant`` (the name in the recipe), ``bands``, ``output_stride``,
    ``multi_grid`` and ``pretrained``, and then with options of its own.
    """

    channels: tuple[int, ...]
    """Channels of each feature map."""
    strides: tuple[int, ...]
    """Input pixels per feature pixel, never falling; the first, about 4, is what decoders call low-level."""

    @abstractmethod
    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Feature maps (batch, channel, row, col) in the order of :attr:`channels`.

        Map ``i`` has ceil(height / strides[i]) rows and ceil(width / strides[i]) columns, for images of any size from
        one pixel.
        """

    def scaling(self, bands: Sequence[str]) -> Scaling | None:  # noqa: ARG002 - for those that bring one
        """The scaling its pretrained weights are used to, for bands of these names; None leaves it to the data."""
        return None
