"""How pixels become what a network sees: the same in training and in prediction, or nothing that was learnt holds."""

from jaxtyping import Bool, Float, Num
from torch import Tensor


def normalise(
    images: Num[Tensor, "batch band row col"],
    valid: Bool[Tensor, "batch row col"],
    *,
    mean: Float[Tensor, "1 band 1 1"],
    std: Float[Tensor, "1 band 1 1"],
) -> Float[Tensor, "batch band row col"]:
    """(images - mean) / std, with the numbers of the model's card; 0, which is the mean colour, where not valid."""
    scaled = (images.float() - mean) / std
    return scaled.masked_fill_(~valid[:, None], 0)
