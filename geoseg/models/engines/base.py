"""The protocol for inference engines, which compute float32 logits from images."""

from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

Arithmetic = Literal["float32", "bfloat16"]


@runtime_checkable
class Engine(Protocol):
    """A network that is ready to run, called from one thread at a time."""

    name: str
    """The name shown to users: ``torch`` or ``OpenVINO``."""
    precision: Arithmetic
    """The floating-point type of the convolutions."""

    def __call__(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """Compute the logits: float32, contiguous, on the device of the images.

        The batch size and image size may change from call to call.
        """
