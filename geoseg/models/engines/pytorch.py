"""torch as an engine: on every device, for every network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.device import memory_format
from geoseg.models.engines.base import Arithmetic
from geoseg.models.engines.bf16_split_input import halved, in_halves
from geoseg.models.engines.fuse_conv_bn import folded


class TorchEngine:
    """Runs a copy of the network with folded batch norms and channels last, which together win on CPUs and GPUs.

    Channels last without folding lose on CPUs, hence a network without batch norm runs as it is and is not copied. So
    does a ``live`` one, which changes between calls because it is in training.
    """

    name = "torch"

    def __init__(
        self, network: nn.Module, device: torch.device, precision: Arithmetic, *, bands: int, live: bool = False
    ) -> None:
        self.precision = precision
        own = network if live else folded(network, bands)
        split = halved(own, bands) if precision == "bfloat16" and not live else None
        self.halves = split is not None
        self.network = own if split is None else split
        self.layout = memory_format(device) if self.network is network else torch.channels_last
        if not live:
            self.network.to(memory_format=self.layout)

    def __call__(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """See :class:`~geoseg.models.engines.base.Engine`."""
        seen = in_halves(images) if self.halves else images
        seen = seen.contiguous(memory_format=self.layout)
        with torch.autocast(seen.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits: Tensor = self.network(seen)
        return logits.to(torch.float32, memory_format=torch.contiguous_format)
