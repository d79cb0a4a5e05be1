"""What batch normalisation sees: mean and variance of each channel, beside those the network learnt in training.

A network's running statistics are a record of its training data. Where images of another place give other ones, the
network works on numbers it has not seen, and no label is needed to find that out.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


@dataclass
class ChannelSums:
    """Sums over all pixels of all images, per channel, in float64."""

    count: int = 0
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))

    def add(self, features: Tensor) -> None:
        """Counts features, axes (batch, channel, row, col)."""
        exact = features.detach().double()
        axes = [axis for axis in range(exact.ndim) if axis != 1]
        self.count += exact.numel() // exact.shape[1]
        self.total = self.total.to(exact.device) + exact.sum(axes)
        self.squares = self.squares.to(exact.device) + exact.square().sum(axes)

    def distance(self, norm: Norm) -> float:
        """How far what was seen lies from what was learnt, in standard deviations of what was learnt.

        The root mean square over channels of the 2-Wasserstein distance between the two as normal distributions:
        (difference of means)² + (difference of deviations)², each divided by the learnt deviation.
        """
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean = self.total / self.count
        deviation = (self.squares / self.count - mean.square()).clamp(min=0).sqrt()
        learnt_mean, learnt = norm.running_mean.double(), (norm.running_var.double() + norm.eps).sqrt()
        apart = ((mean - learnt_mean) / learnt).square() + ((deviation - learnt) / learnt).square()
        return math.sqrt(float(apart.mean()))


@contextmanager
def watching_norms(network: nn.Module) -> Iterator[Mapping[str, ChannelSums]]:
    """Sums per norm of a network by name, filled by every forward pass while the block runs; in order of first use."""
    seen: dict[str, ChannelSums] = {}
    hooks = [norm.register_forward_pre_hook(_noting(seen, name)) for name, norm in norms_of(network).items()]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def norms_of(network: nn.Module) -> dict[str, Norm]:
    """Every norm with running statistics, by name; those of auxiliary heads, which prediction leaves out, too."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.running_mean is not None
    }


def distances(network: nn.Module, seen: Mapping[str, ChannelSums]) -> dict[str, float]:
    """The distance of each norm that saw more than a handful of pixels, in order of first use."""
    norms = norms_of(network)
    return {name: sums.distance(norms[name]) for name, sums in seen.items() if sums.count > 1000}


def _noting(seen: dict[str, ChannelSums], name: str) -> Any:
    def note(_norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.setdefault(name, ChannelSums()).add(inputs[0])

    return note
