"""Batch normalization with statistics over the images in all processes, for any device.

torch's ``SyncBatchNorm`` only supports GPUs; these classes also run on CPUs, so that training with several processes
can be tested on CPUs. Parameters and buffers have the same names as in ``BatchNorm2d``, so state dicts are
interchangeable.
"""

import logging

import torch
import torch.distributed as dist
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

logger = logging.getLogger(__name__)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization over (batch of all processes, row, col)."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalize features (batch, channel, row, col). Every process must pass at least one image."""
        return _normalize_over_processes(self, features) if _is_shared(self) else super().forward(features)


class SyncBatchNormAct2d(BatchNormAct2d):
    """Synchronized batch normalization with the activation of timm's ``BatchNormAct2d``."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalize and activate features."""
        if not _is_shared(self):
            return super().forward(features)  # type: ignore[no-any-return, no-untyped-call]
        activated: Tensor = self.act(self.drop(_normalize_over_processes(self, features)))
        return activated


SYNC_CLASSES = {nn.BatchNorm2d: SyncBatchNorm2d, BatchNormAct2d: SyncBatchNormAct2d}
"""Synchronized class for each batch norm class."""


def _is_shared(norm: nn.BatchNorm2d) -> bool:
    return norm.training and dist.is_initialized() and dist.get_world_size() > 1


def _normalize_over_processes(norm: nn.BatchNorm2d, features: Tensor) -> Tensor:
    exact, axes = features.float(), (0, 2, 3)
    sums = _sum_over_processes(torch.cat([exact.sum(axes), exact.new_tensor([exact.numel() / exact.shape[1]])]))
    mean, pixels = sums[:-1] / sums[-1], sums[-1]
    centered = exact - _per_channel(mean)
    # Two passes, because the mean of squares minus the squared mean suffers from cancellation if the mean is much
    # larger than the standard deviation.
    variance = _sum_over_processes(centered.square().sum(axes)) / pixels
    if norm.running_mean is not None:
        _update_running_statistics(norm, mean.detach(), variance.detach() * pixels / (pixels - 1).clamp(min=1))
    scale = torch.rsqrt(variance + norm.eps)
    if norm.affine:
        normalized = centered * _per_channel(scale * norm.weight) + _per_channel(norm.bias)
    else:
        normalized = centered * _per_channel(scale)
    return normalized.to(features.dtype)


@torch.no_grad()
def _update_running_statistics(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Update the running statistics as ``BatchNorm2d`` does; ``variance`` is unbiased."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)


def _sum_over_processes(sums: Tensor) -> Tensor:
    total: Tensor = all_reduce(sums)  # type: ignore[no-untyped-call]
    return total


def _per_channel(numbers: Tensor) -> Tensor:
    return numbers[:, None, None]


def convert_to_sync_batchnorm(network: nn.Module, device: torch.device) -> nn.Module:
    """Convert all batch norm layers of a network to synchronized ones; weights and their names stay the same."""
    if device.type == "cuda":
        shared: nn.Module = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # timm's function also converts timm's norms
        return shared
    for name, module in network.named_modules():
        if type(module) in SYNC_CLASSES:
            # Only the class changes: parameters, buffers and hooks stay.
            module.__class__ = SYNC_CLASSES[type(module)]
        elif isinstance(module, nn.BatchNorm2d) and type(module) not in SYNC_CLASSES.values():
            logger.warning("the norm %s is not synchronized between processes: %s", name, type(module).__name__)
    return network
