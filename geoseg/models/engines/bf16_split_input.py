"""Images in halves, so that a network that computes in bfloat16 sees all their digits.

bfloat16 has 8 binary digits, and losing those of the pixels themselves changes more classes than all later rounding. A
number is therefore split into two of 8 digits, high + low, and the first convolution, which alone sees pixels, computes
high·high + low·high + high·low of images and weights (Henry et al. 2019, arXiv 1904.06376). In most networks that costs
nothing measurable, because the first convolution has three bands where later ones have hundreds of channels.
"""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.engines.equivalence import difference, trial_images, tried, watching

PARTS = 3
"""Products that are computed of the four; low·low is beyond the digits that are kept."""

TOLERANCE = 1e-4
"""The product left away may change logits by that share of the largest."""


def in_halves(images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch bands row col"]:
    """The images three times along the bands, as high, low and high halves: what a network of :func:`halved` sees."""
    high, low = _halves(images)
    return torch.cat([high, low, high], dim=1)


def halved(network: nn.Module, bands: int) -> nn.Module | None:
    """A copy of the network for images in halves, with the same logits up to 16 digits; ``network`` does not change.

    None if anything but one convolution sees the images.
    """
    return tried(lambda: _halved(network, bands), TOLERANCE, otherwise="images stay whole")


@torch.no_grad()
def _halved(network: nn.Module, bands: int) -> tuple[nn.Module, float]:
    """The copy, and by how much its logits are others."""
    copied = copy.deepcopy(network).eval()
    images = trial_images(bands).to(next(network.parameters()).device)
    first, logits = _first(copied, images)
    assert first.groups == 1
    high, low = _halves(first.weight)
    first.weight = nn.Parameter(torch.cat([high, high, low], dim=1), requires_grad=False)
    first.in_channels *= PARTS
    return copied, difference(copied(in_halves(images)), logits)


def _first(network: nn.Module, images: Tensor) -> tuple[nn.Conv2d, Tensor]:
    """The convolution that ran first; and the logits of the images."""
    convs: list[nn.Conv2d] = []

    def watcher(module: Any, _inputs: Any, _output: Any) -> None:
        if type(module) is nn.Conv2d:
            convs.append(module)

    with watching(network, watcher):
        logits: Tensor = network(images)
    return convs[0], logits


def _halves(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """The first 8 binary digits and the rest, of which bfloat16 keeps the next 8."""
    high = numbers.bfloat16().float()
    return high, numbers - high
