"""From scores to the bytes of products: mask, probabilities, confidence, entropy (raster/product.py)."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geoseg.inference.tiled.blending import class_index
from geoseg.inference.tiles import Strip
from geoseg.raster.prediction_outputs import stored
from geoseg.raster.writers.partial import Pixels

Probabilities = Callable[[Float[Tensor, "class row col"]], Float[Tensor, "class row col"]]
"""What scores mean, as probabilities that add up to 1."""


def pixels_of(strip: Strip, products: Sequence[str], probabilities: Probabilities) -> Pixels:
    """The bytes of every product in a strip, axes (band, row, col)."""
    found = {"mask": class_index(strip.scores, strip.valid)[np.newaxis]}
    if set(products) - {"mask"}:
        shares = probabilities(strip.scores)
        for name in set(products) - {"mask"}:
            found[name] = stored(SHARES_OF[name](shares).cpu().numpy(), strip.valid)
    return found


def confidence(probabilities: Float[Tensor, "class row col"]) -> Float[Tensor, "1 row col"]:
    """The largest probability of each pixel."""
    return probabilities.amax(dim=0, keepdim=True)


def entropy(probabilities: Float[Tensor, "class row col"]) -> Float[Tensor, "1 row col"]:
    """Shannon's entropy of each pixel's probabilities, as a share of that of equal probabilities; 0 with one class."""
    classes = len(probabilities)
    total: Tensor = torch.special.entr(probabilities).sum(dim=0, keepdim=True)
    return total / math.log(classes) if classes > 1 else total


SHARES_OF: dict[str, Callable[[Tensor], Tensor]] = {
    "probabilities": lambda probabilities: probabilities,
    "confidence": confidence,
    "entropy": entropy,
}
