"""Exponential moving average (EMA) of the weights of a network.

Weight averaging as in Polyak and Juditsky 1992, with the exponential decay of Tarvainen and Valpola 2017 (arXiv
1703.01780), section 2.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from geoseg.models.network import SegmentationNetwork


class AveragedNetwork:
    """A network whose weights and batch norm statistics are the moving averages of those of another network.

    In step t, average = d * average + (1 - d) * weights with d = min(decay, (1 + t) / (10 + t)), so that the initial
    weights are forgotten quickly.

    Args:
        network: The network to average; it is copied.
        decay: Upper limit of d.
    """

    def __init__(self, network: SegmentationNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, iteration: int) -> None:
        """Update the average with the weights after ``iteration`` steps."""
        keep = min(self.decay, (1 + iteration) / (10 + iteration))
        pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        # One call for all tensors: on a GPU, launching one kernel per tensor takes longer than the arithmetic.
        torch._foreach_lerp_([average for average, _ in floating], [current for _, current in floating], 1 - keep)
        for average, current in pairs:
            if not average.is_floating_point():  # batch counters of batch norm layers
                average.copy_(current)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()
