"""Trial images: a network that was rewritten is believed if it says of noise what it said before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

SIZE = (64, 96)
"""Height and width: small, not square, and whole strides of nearly every network."""


def trial_images(bands: int, size: tuple[int, int] = SIZE, *, batch: int = 2) -> Float[Tensor, "batch band row col"]:
    """Noise of mean 0 and deviation 1, as scaled images have; always the same."""
    return torch.randn(batch, bands, *size, generator=torch.Generator().manual_seed(0))


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two networks' logits, as a share of the largest logit, or absolute where that is below 1.

    NaN if one of them is.
    """
    return float((one - other).abs().max() / other.abs().max().clamp(min=1))


@contextmanager
def watching(network: nn.Module, watcher: Any) -> Iterator[None]:
    """``watcher(module, inputs, output)`` is called after each module of the network that runs while the block does."""
    hooks = [module.register_forward_hook(watcher) for module in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
