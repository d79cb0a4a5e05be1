"""Batch normalisation folded into the convolutions before it, for networks that only run and are trained no more.

In evaluation mode a norm is w (x - mean) / sqrt(variance + eps) + b per channel, and what a convolution gives is linear
in its weights; so the norm can be multiplied into them once, instead of into every pixel (Jacob et al. 2018,
arXiv 1712.05877, section 3.2). Modules do not tell which convolution stands before which norm, hence a trial is watched.
"""

import copy
from collections import Counter
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from geoseg.models.engines.equivalence import difference, trial_images, tried, watching
from geoseg.models.sync_batchnorm import SyncBatchNorm2d, SyncBatchNormAct2d

PLAIN = {nn.BatchNorm2d, SyncBatchNorm2d}
ACTIVATING = {BatchNormAct2d, SyncBatchNormAct2d}
"""The kinds of norm that are folded; the second kind leaves its activation behind. Others stay as they are."""

TOLERANCE = 1e-4
"""Rounding may change logits by that share of the largest."""

Pairs = dict[nn.Conv2d, nn.BatchNorm2d]


def folded(network: nn.Module, bands: int) -> nn.Module:
    """A copy of the network in evaluation mode, its batch norms folded, with the same logits up to rounding.

    A network without batch norm, or one that cannot be folded, is returned itself. ``network`` never changes.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    copied = tried(lambda: _folded(network, bands), TOLERANCE, otherwise="batch norm stays unfolded")
    return network if copied is None else copied


@torch.no_grad()
def _folded(network: nn.Module, bands: int) -> tuple[nn.Module, float]:
    """The copy, and by how much its logits are others."""
    copied = copy.deepcopy(network).eval()
    images = trial_images(bands).to(next(network.parameters()).device)
    pairs, logits = _pairs(copied, images)
    for conv, norm in pairs.items():
        _fold(conv, norm)
    _replace(copied, {norm: _remains(norm) for norm in pairs.values()})
    return copied, difference(copied(images), logits)


def _pairs(network: nn.Module, images: Tensor) -> tuple[Pairs, Tensor]:
    """Convolutions whose output went straight into a norm, both used once; and the logits of the images."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # with the tensor, or its number might be given to another
    pairs: Pairs = {}
    uses: Counter[nn.Module] = Counter()

    def watcher(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        uses[module] += 1
        if type(module) is nn.Conv2d:
            made[id(output)] = module, output
        elif type(module) in PLAIN | ACTIVATING and id(inputs[0]) in made:
            pairs[made[id(inputs[0])][0]] = module

    with watching(network, watcher):
        logits: Tensor = network(images)
    return {conv: norm for conv, norm in pairs.items() if uses[conv] == uses[norm] == 1}, logits


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.weight, conv.bias = weight, bias


def _remains(norm: Any) -> nn.Module:
    """What a folded norm leaves in its place; dropout is none in evaluation mode."""
    activation: nn.Module = norm.act if type(norm) in ACTIVATING else nn.Identity()
    return activation


def _replace(network: nn.Module, replacements: dict[nn.BatchNorm2d, nn.Module]) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and child in replacements:
                setattr(parent, name, replacements[child])
