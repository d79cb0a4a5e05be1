"""Batch normalisation whose statistics are those of all processes' images together, on any device.

torch's ``SyncBatchNorm`` does the same on GPUs alone; this one also runs on CPUs, where training on several processes can
be tried and tested. Parameters and buffers carry the names of ``BatchNorm2d``, so weights move freely between them.
"""

import logging

import torch
import torch.distributed as dist
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

logger = logging.getLogger(__name__)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over (batch of all processes, row, col)."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features (batch, channel, row, col); every process must call it with at least one image."""
        return _together(self, features) if _is_shared(self) else super().forward(features)


class SyncBatchNormAct2d(BatchNormAct2d):
    """The same for the norms of timm's networks, which activate what they have normalised."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalised and activated features."""
        if not _is_shared(self):
            return super().forward(features)  # type: ignore[no-any-return, no-untyped-call]
        activated: Tensor = self.act(self.drop(_together(self, features)))
        return activated


SHARED = {nn.BatchNorm2d: SyncBatchNorm2d, BatchNormAct2d: SyncBatchNormAct2d}
"""What each kind of norm becomes."""


def _is_shared(norm: nn.BatchNorm2d) -> bool:
    return norm.training and dist.is_initialized() and dist.get_world_size() > 1


def _together(norm: nn.BatchNorm2d, features: Tensor) -> Tensor:
    exact, each = features.float(), (0, 2, 3)
    sums = _over_processes(torch.cat([exact.sum(each), exact.new_tensor([exact.numel() / exact.shape[1]])]))
    mean, pixels = sums[:-1] / sums[-1], sums[-1]
    centred = exact - _per_channel(mean)
    # Of the deviations themselves: a mean of squares less a squared mean loses what little a large mean varies.
    variance = _over_processes(centred.square().sum(each)) / pixels
    if norm.running_mean is not None:
        _remember(norm, mean.detach(), variance.detach() * pixels / (pixels - 1).clamp(min=1))
    scale = torch.rsqrt(variance + norm.eps)
    if norm.affine:
        normalised = centred * _per_channel(scale * norm.weight) + _per_channel(norm.bias)
    else:
        normalised = centred * _per_channel(scale)
    return normalised.to(features.dtype)


@torch.no_grad()
def _remember(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Moves the running statistics as BatchNorm2d does; ``variance`` is the unbiased one."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)


def _over_processes(sums: Tensor) -> Tensor:
    total: Tensor = all_reduce(sums)  # type: ignore[no-untyped-call]
    return total


def _per_channel(numbers: Tensor) -> Tensor:
    return numbers[:, None, None]


def synchronise(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with every batch norm shared between processes; weights stay, and so do their names."""
    if device.type == "cuda":
        shared: nn.Module = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # timm's knows timm's norms, too
        return shared
    for name, module in network.named_modules():
        if type(module) in SHARED:
            # The class alone changes: parameters, buffers and hooks are those of the norm that was there.
            module.__class__ = SHARED[type(module)]
        elif isinstance(module, nn.BatchNorm2d) and type(module) not in SHARED.values():
            logger.warning("the norm %s is not shared between processes: %s", name, type(module).__name__)
    return network
