"""Split images into two bfloat16 parts, so that a bfloat16 network does not lose input precision.

bfloat16 has 8 significant bits. Rounding the pixels to 8 bits changes more predicted classes than all later rounding
combined. Each number is therefore split into the sum of two 8-bit numbers, high + low, and the first convolution, the
only one that reads pixels, computes high·high + low·high + high·low of images and weights (Henry et al. 2019, arXiv
1904.06376). For most networks, the extra cost is too small to measure: the first convolution has three input bands,
whereas later ones have hundreds of channels.
"""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.engines.equivalence import (
    forward_hooks,
    make_trial_images,
    relative_difference,
    rewrite_if_equivalent,
)

INPUT_COPIES = 3
"""Number of the four products that are computed; low·low is too small to affect the result."""

MAX_LOGIT_CHANGE = 1e-4
"""Largest accepted change in the logits from the omitted product, relative to the largest logit."""


def split_bf16(images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch bands row col"]:
    """Concatenate the high, low and high parts of images along the band axis, as input for a converted network."""
    high, low = _split(images)
    return torch.cat([high, low, high], dim=1)


def convert_to_split_input(network: nn.Module, bands: int) -> nn.Module | None:
    """Return a copy of the network that takes the output of :func:`split_bf16` as input.

    Args:
        network: Any network; it is not changed.
        bands: Number of bands of its images.

    Returns:
        The copy, whose logits agree with those of the network to about 16 bits; None unless exactly one convolution
        reads the images.
    """
    return rewrite_if_equivalent(lambda: _convert(network, bands), MAX_LOGIT_CHANGE, otherwise="input is not split")


@torch.no_grad()
def _convert(network: nn.Module, bands: int) -> tuple[nn.Module, float]:
    copied = copy.deepcopy(network).eval()
    images = make_trial_images(bands).to(next(network.parameters()).device)
    conv, logits = _first_conv(copied, images)
    assert conv.groups == 1
    high, low = _split(conv.weight)
    conv.weight = nn.Parameter(torch.cat([high, high, low], dim=1), requires_grad=False)
    conv.in_channels *= INPUT_COPIES
    return copied, relative_difference(copied(split_bf16(images)), logits)


def _first_conv(network: nn.Module, images: Tensor) -> tuple[nn.Conv2d, Tensor]:
    """Return the convolution that runs first, and the logits of the images."""
    convs: list[nn.Conv2d] = []

    def hook(module: Any, _inputs: Any, _output: Any) -> None:
        if type(module) is nn.Conv2d:
            convs.append(module)

    with forward_hooks(network, hook):
        logits: Tensor = network(images)
    return convs[0], logits


def _split(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Split numbers into their first 8 significant bits and the rest, of which bfloat16 keeps the next 8 bits."""
    high = numbers.bfloat16().float()
    return high, numbers - high
