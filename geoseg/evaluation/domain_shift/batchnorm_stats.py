"""Compare the inputs of batch normalization layers with the running statistics from training.

The running statistics of a network summarize its training data. If images from a different location have different
statistics, the network processes features it was not trained on; detecting this needs no labels.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
"""Layers with running statistics."""
MIN_PIXELS = 1000
"""Layers that received at most this many pixels are ignored."""


@dataclass
class ChannelSums:
    """Sums over all pixels of all images, per channel, in float64."""

    count: int = 0
    """Number of pixels."""
    total: Tensor = field(default_factory=lambda: torch.zeros(()))
    """Sum per channel."""
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))
    """Sum of squares per channel."""

    def add(self, features: Tensor) -> None:
        """Add features, axes (batch, channel, row, col)."""
        exact = features.detach().double()
        axes = [axis for axis in range(exact.ndim) if axis != 1]
        self.count += exact.numel() // exact.shape[1]
        self.total = self.total.to(exact.device) + exact.sum(axes)
        self.squares = self.squares.to(exact.device) + exact.square().sum(axes)

    def distance(self, layer: BatchNorm) -> float:
        """Return the distance from a layer's running statistics, in units of their standard deviation.

        It is the root mean square over channels of the 2-Wasserstein distance between two normal distributions,
        ``sqrt((difference of means)² + (difference of standard deviations)²)``, divided by the running standard
        deviation.
        """
        assert layer.running_mean is not None
        assert layer.running_var is not None
        mean = self.total / self.count
        std = (self.squares / self.count - mean.square()).clamp(min=0).sqrt()
        running_mean, running_std = layer.running_mean.double(), (layer.running_var.double() + layer.eps).sqrt()
        squared = ((mean - running_mean) / running_std).square() + ((std - running_std) / running_std).square()
        return math.sqrt(float(squared.mean()))


@contextmanager
def record_batchnorm_stats(network: nn.Module) -> Iterator[Mapping[str, ChannelSums]]:
    """Record the inputs of all batch normalization layers while the context is active.

    Returns:
        Sums keyed by layer name, in order of first use; every forward pass adds to them.
    """
    sums: dict[str, ChannelSums] = {}
    hooks = [
        layer.register_forward_pre_hook(_recorder(sums, name)) for name, layer in batchnorm_layers(network).items()
    ]
    try:
        yield sums
    finally:
        for hook in hooks:
            hook.remove()


def batchnorm_layers(network: nn.Module) -> dict[str, BatchNorm]:
    """Return all layers with running statistics by name, including those of auxiliary heads not used for prediction."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and module.running_mean is not None
    }


def batchnorm_distances(network: nn.Module, sums: Mapping[str, ChannelSums]) -> dict[str, float]:
    """Return the distance of each layer that received more than :data:`MIN_PIXELS` pixels, in order of first use."""
    layers = batchnorm_layers(network)
    return {name: each.distance(layers[name]) for name, each in sums.items() if each.count > MIN_PIXELS}


def _recorder(sums: dict[str, ChannelSums], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def record(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sums.setdefault(name, ChannelSums()).add(inputs[0])

    return record
