"""The head interface: maps the features of a backbone to logits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

Count = Annotated[int, Field(ge=1, le=65_536)]
"""A number of channels or a dilation. The upper limit is far above those of published networks."""
Dilations = Annotated[tuple[Count, ...], Field(max_length=32)]
"""Dilations of parallel branches."""
Probability = Annotated[float, Field(ge=0, lt=1)]
"""A probability below 1."""


class Head(nn.Module, ABC):
    """A module that maps features to logits.

    The constructor takes the keyword arguments ``in_channels`` and ``strides`` (of the backbone's features),
    ``classes`` and ``align_corners``, and additional options of the head. The defaults of these options are those of
    mmsegmentation.
    """

    smallest_batch: ClassVar[int] = 1
    """Smallest number of images per device in a training step."""

    @abstractmethod
    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Return logits at the resolution of one of the feature maps; the network resizes them to the image."""
