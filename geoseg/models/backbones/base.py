"""What a backbone promises: from images, features at several strides, finest first."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


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
