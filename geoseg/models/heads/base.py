"""What a head promises: from a backbone's features, logits at the resolution of its choice."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

Count = Annotated[int, Field(ge=1)]
"""A number of channels or a dilation, as recipes give them."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""A probability below 1."""


class Head(nn.Module, ABC):
    """Features to logits.

    Every head is constructed with ``in_channels`` and ``strides`` (those of the backbone's features), ``classes`` and
    ``align_corners``, and then with options of its own, whose defaults make the zoo's network.
    """

    smallest_batch: ClassVar[int] = 1
    """Fewest images per device in a training step."""

    @abstractmethod
    def forward(self, features: Sequence[Float[Tensor, "batch _ _ _"]]) -> Float[Tensor, "batch class _ _"]:
        """Logits, at the resolution of one of the feature maps; the network resizes them to the image."""
