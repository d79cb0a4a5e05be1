"""Normalize pixels to the input of a network, identically in training and prediction."""

from jaxtyping import Bool, Float, Num
from torch import Tensor


def normalize(
    images: Num[Tensor, "batch band row col"],
    valid: Bool[Tensor, "batch row col"],
    *,
    mean: Float[Tensor, "1 band 1 1"],
    std: Float[Tensor, "1 band 1 1"],
) -> Float[Tensor, "batch band row col"]:
    """Compute (images - mean) / std, and 0 (the mean) for invalid pixels.

    Args:
        images: Pixel values (batch, band, row, col).
        valid: Validity (batch, row, col); True = usable.
        mean: Mean of each band, from the model card.
        std: Standard deviation of each band, from the model card.
    """
    scaled = (images.float() - mean) / std
    return scaled.masked_fill_(~valid[:, None], 0)
