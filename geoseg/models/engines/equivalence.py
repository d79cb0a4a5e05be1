"""Verify that a rewritten network has the same logits as the original network on random images."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

log = logging.getLogger(__name__)

TRIAL_SIZE = (64, 96)
"""(height, width) of trial images: small, not square, and divisible by the output stride of nearly every network."""


def make_trial_images(
    bands: int, size: tuple[int, int] = TRIAL_SIZE, *, batch: int = 2
) -> Float[Tensor, "batch band row col"]:
    """Generate Gaussian noise with mean 0 and standard deviation 1, as in normalized images; the seed is fixed."""
    return torch.randn(batch, bands, *size, generator=torch.Generator().manual_seed(0))


def relative_difference(one: Tensor, other: Tensor) -> float:
    """Return the largest difference between two tensors of logits, relative to the largest logit of ``other``.

    If the largest logit is below 1, the difference is absolute. The result is NaN if any logit is NaN.
    """
    return float((one - other).abs().max() / other.abs().max().clamp(min=1))


def rewrite_if_equivalent(
    rewrite: Callable[[], tuple[nn.Module, float]], tolerance: float, *, otherwise: str
) -> nn.Module | None:
    """Rewrite a network, unless this fails or changes its logits.

    Args:
        rewrite: Function that returns the rewritten network and how much its logits changed
            (:func:`relative_difference`).
        tolerance: Largest accepted change.
        otherwise: What happens if the rewritten network is rejected, as a phrase for the debug log.

    Returns:
        The rewritten network; None if ``rewrite`` raised an error or the change exceeds ``tolerance``.
    """
    try:
        network, change = rewrite()
    except Exception as error:  # user-defined networks can fail in any way; they then run unchanged
        log.debug("%s: %s", otherwise, error)
        return None
    if not change <= tolerance:
        log.debug("%s: logits would change by %.2g", otherwise, change)
        return None
    return network


@contextmanager
def forward_hooks(network: nn.Module, hook: Any) -> Iterator[None]:
    """Call ``hook(module, inputs, output)`` after each module of the network that runs inside the ``with`` block."""
    handles = [module.register_forward_hook(hook) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
