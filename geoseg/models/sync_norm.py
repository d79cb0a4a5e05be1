"""Batch normalisation whose statistics are those of all processes' images together, on any device.

torch's ``SyncBatchNorm`` does the same on GPUs alone; this one also runs on CPUs, where training on several processes can
be tried and tested. Parameters and buffers carry the names of ``BatchNorm2d``, so weights move freely between them.
"""

import logging

import torch
import torch.distributed as dist
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

logger = logging.getLogger(__name__)


class SyncBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over (batch of all processes, row, col)."""

    def forward(self, features: Tensor) -> Tensor:
        """Normalised features (batch, channel, row, col); every process must call it with at least one image."""
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(features)
        exact, each = features.float(), (0, 2, 3)
        sums = _over_processes(torch.cat([exact.sum(each), exact.new_tensor([exact.numel() / exact.shape[1]])]))
        mean, pixels = sums[:-1] / sums[-1], sums[-1]
        centred = exact - _per_channel(mean)
        # Of the deviations themselves: a mean of squares less a squared mean loses what little a large mean varies.
        variance = _over_processes(centred.square().sum(each)) / pixels
        if self.running_mean is not None:
            self._remember(mean.detach(), variance.detach() * pixels / (pixels - 1).clamp(min=1))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            normalised = centred * _per_channel(scale * self.weight) + _per_channel(self.bias)
        else:
            normalised = centred * _per_channel(scale)
        back: Tensor = normalised.to(features.dtype)
        return back

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics as BatchNorm2d does; ``variance`` is the unbiased one."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


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
        if type(module) is nn.BatchNorm2d:
            # The class alone changes: parameters, buffers and hooks are those of BatchNorm2d.
            module.__class__ = SyncBatchNorm2d
        elif isinstance(module, nn.BatchNorm2d) and not isinstance(module, SyncBatchNorm2d):
            logger.warning("the norm %s is not shared between processes: %s", name, type(module).__name__)
    return network
