"""Trial images: a network that was rewritten is believed if it says of noise what it said before."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

log = logging.getLogger(__name__)

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


def tried(rewrite: Callable[[], tuple[nn.Module, float]], tolerance: float, *, otherwise: str) -> nn.Module | None:
    """The network that ``rewrite`` gives, with how much its logits are others; None if that is more, or if it fails.

    ``otherwise`` says in the log what stays as it was.
    """
    try:
        network, change = rewrite()
    except Exception as error:  # anybody's network: if it runs at all, it runs as it is
        log.debug("%s: %s", otherwise, error)
        return None
    if not change <= tolerance:
        log.debug("%s: logits would change by %.2g", otherwise, change)
        return None
    return network


@contextmanager
def watching(network: nn.Module, watcher: Any) -> Iterator[None]:
    """``watcher(module, inputs, output)`` is called after each module of the network that runs while the block does."""
    hooks = [module.register_forward_hook(watcher) for module in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
