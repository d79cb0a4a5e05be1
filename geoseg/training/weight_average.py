"""A running average of a network's weights, which often predicts better than the last of them.

Polyak and Juditsky 1992; with exponential forgetting as in Tarvainen and Valpola 2017 (arXiv 1703.01780), section 2.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from geoseg.models.network import SegmentationNetwork


class AveragedNetwork:
    """The network with averaged weights; norm statistics are averaged alike.

    In step t the average is d times itself plus 1 - d times the weights, where d is the smaller of ``decay`` and
    (1 + t) / (10 + t), so that the first steps are soon forgotten.
    """

    def __init__(self, network: SegmentationNetwork, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, iteration: int) -> None:
        """Takes in the weights after ``iteration`` steps."""
        keep = min(self.decay, (1 + iteration) / (10 + iteration))
        pairs = list(zip(_state(self.network), _state(network), strict=True))
        real = [pair for pair in pairs if pair[0].is_floating_point()]
        # All at once: on a GPU each call waits longer to be started than it works.
        torch._foreach_lerp_([mine for mine, _ in real], [theirs for _, theirs in real], 1 - keep)
        for mine, theirs in pairs:
            if not mine.is_floating_point():  # counters of norms
                mine.copy_(theirs)


def _state(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()
