"""Fuse batch normalization into the preceding convolutions for inference.

In evaluation mode, batch normalization computes w (x - mean) / sqrt(variance + eps) + b per channel, and the output of
a convolution is linear in its weights. The weights can therefore be multiplied by the factor once, instead of scaling
every pixel (Jacob et al. 2018, arXiv 1712.05877, section 3.2). Modules do not record which convolution feeds which
batch norm, so this is determined with forward hooks and dummy images.
"""

import copy
from collections import Counter
from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from geoseg.models.engines.equivalence import (
    forward_hooks,
    make_trial_images,
    relative_difference,
    rewrite_if_equivalent,
)
from geoseg.models.sync_batchnorm import SyncBatchNorm2d, SyncBatchNormAct2d

BATCH_NORMS = {nn.BatchNorm2d, SyncBatchNorm2d}
"""Batch norm types that are fused and removed."""
BATCH_NORMS_WITH_ACTIVATION = {BatchNormAct2d, SyncBatchNormAct2d}
"""Batch norm types that are fused and replaced by their activation. All other types are kept."""

MAX_LOGIT_CHANGE = 1e-4
"""Largest accepted change in the logits due to rounding, relative to the largest logit."""

ConvNormPairs = dict[nn.Conv2d, nn.BatchNorm2d]


def fuse_conv_bn(network: nn.Module, bands: int) -> nn.Module:
    """Return a copy of the network in evaluation mode with its batch norms fused into the preceding convolutions.

    Args:
        network: Any network; it is not changed.
        bands: Number of bands of its images.

    Returns:
        The copy, whose logits are the same except for rounding; ``network`` itself if it has no batch norms or they
        cannot be fused.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    fused = rewrite_if_equivalent(lambda: _fuse(network, bands), MAX_LOGIT_CHANGE, otherwise="batch norm is not fused")
    return network if fused is None else fused


@torch.no_grad()
def _fuse(network: nn.Module, bands: int) -> tuple[nn.Module, float]:
    copied = copy.deepcopy(network).eval()
    images = make_trial_images(bands).to(next(network.parameters()).device)
    pairs, logits = _find_pairs(copied, images)
    for conv, norm in pairs.items():
        _fuse_pair(conv, norm)
    _replace(copied, {norm: _replacement(norm) for norm in pairs.values()})
    return copied, relative_difference(copied(images), logits)


def _find_pairs(network: nn.Module, images: Tensor) -> tuple[ConvNormPairs, Tensor]:
    """Return pairs of a convolution and the batch norm that it feeds, if both are used only once, and the logits."""
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # also keeps the tensor, so that its id is not reused
    pairs: ConvNormPairs = {}
    uses: Counter[nn.Module] = Counter()

    def hook(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        uses[module] += 1
        if type(module) is nn.Conv2d:
            outputs[id(output)] = module, output
        elif type(module) in BATCH_NORMS | BATCH_NORMS_WITH_ACTIVATION and id(inputs[0]) in outputs:
            pairs[outputs[id(inputs[0])][0]] = module

    with forward_hooks(network, hook):
        logits: Tensor = network(images)
    return {conv: norm for conv, norm in pairs.items() if uses[conv] == uses[norm] == 1}, logits


def _fuse_pair(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    conv.weight, conv.bias = weight, bias


def _replacement(norm: Any) -> nn.Module:
    """Return the activation of a fused batch norm; its dropout does nothing in evaluation mode."""
    activation: nn.Module = norm.act if type(norm) in BATCH_NORMS_WITH_ACTIVATION else nn.Identity()
    return activation


def _replace(network: nn.Module, replacements: dict[nn.BatchNorm2d, nn.Module]) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d) and child in replacements:
                setattr(parent, name, replacements[child])
