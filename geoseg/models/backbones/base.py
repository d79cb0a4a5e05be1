"""The backbone interface: maps images to features at several strides, finest first."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn


class Scaling(NamedTuple):
    """Input normalization, (pixel - mean) / std, in units of pixel values."""

    mean: tuple[float, ...]
    """Mean of each band, subtracted first."""
    std: tuple[float, ...]
    """Standard deviation of each band, the divisor."""


IMAGENET = Scaling((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""Mean and standard deviation of red, green and blue in ImageNet (8-bit values), as used by mmsegmentation."""


class Backbone(nn.Module, ABC):
    """A module that maps images to a list of feature maps.

    The constructor takes the keyword arguments ``variant`` (the name in the recipe), ``bands``, ``output_stride``,
    ``multi_grid`` and ``pretrained``, and additional options of the backbone.
    """

    channels: tuple[int, ...]
    """Number of channels of each feature map."""
    strides: tuple[int, ...]
    """Input pixels per feature pixel for each feature map, in ascending order. The first one, usually 4, is the stride of
    the low-level features."""

    is_defined_by_weights: ClassVar[bool] = False
    """True if the constructor computes nothing but the tensors in the state dict, so that a backbone built on torch's meta
    device is complete once these are assigned."""

    @abstractmethod
    def forward(self, images: Float[Tensor, "batch band row col"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return feature maps (batch, channel, row, col) in the order of :attr:`channels`.

        Feature map ``i`` has ceil(height / strides[i]) rows and ceil(width / strides[i]) columns. Images can be as small
        as one pixel.
        """

    def scaling(self, bands: Sequence[str]) -> Scaling | None:  # noqa: ARG002 - subclasses with pretrained weights use it
        """Return the input normalization that the pretrained weights require; None to compute it from the data."""
        return None
