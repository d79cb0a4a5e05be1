"""Networks that look as if they had been trained."""

import torch
from torch import nn


def experienced(network):
    """The network in evaluation mode, with norms that have seen something: nothing in them is 0 or 1."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_mean.uniform_(-0.5, 0.5, generator=generator)
                norm.running_var.uniform_(0.5, 1.5, generator=generator)
                norm.weight.uniform_(0.5, 1.5, generator=generator)
                norm.bias.uniform_(-0.5, 0.5, generator=generator)
    return network.eval()


def norms(network):
    """How many batch norms there are."""
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def relative(one, other):
    """The largest difference, as a share of the largest number of ``other`` or absolute."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1))
