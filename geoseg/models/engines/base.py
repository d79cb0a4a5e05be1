"""What every engine promises: from images, the network's logits in single precision."""

from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

Arithmetic = Literal["float32", "bfloat16"]


@runtime_checkable
class Engine(Protocol):
    """A network that is ready to run. Calls come one after another, from one thread at a time."""

    name: str
    """What users read: ``torch`` or ``OpenVINO``."""
    precision: Arithmetic
    """The arithmetic of its convolutions."""

    def __call__(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """Logits, float32, contiguous, on the device of the images, which may be of any number and size."""
