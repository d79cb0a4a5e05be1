"""Softmax over classes, in place and in pieces that stay in the processor's cache.

New memory costs more than the reckoning: for a batch of tiles and six classes on a CPU, this takes a third of the time
of ``softmax(dim=1)``, for the same numbers.
"""

import torch
from jaxtyping import Float
from torch import Tensor

CACHED = 2**19
"""Bytes of a piece: half of a core's second cache."""


@torch.inference_mode()
def softmax_(logits: Float[Tensor, "batch class row col"]) -> Float[Tensor, "batch class row col"]:
    """The probabilities of the classes, in the memory of the logits, which are gone then."""
    if logits.device.type != "cpu":
        return logits.copy_(logits.softmax(dim=1))
    _, classes, _, width = logits.shape
    rows = max(CACHED // (logits.itemsize * classes * width), 1)
    for piece in (piece for image in logits for piece in image.split(rows, dim=1)):
        piece.copy_(piece.softmax(dim=0))
    return logits
