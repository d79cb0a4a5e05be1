"""The PyTorch engine, which supports every device and every network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geoseg.models.device import memory_format
from geoseg.models.engines.base import Arithmetic
from geoseg.models.engines.bf16_split_input import convert_to_split_input, split_bf16
from geoseg.models.engines.fuse_conv_bn import fuse_conv_bn


class TorchEngine:
    """Runs a copy of the network with fused batch norms and channels-last memory format.

    Together, these two optimizations make the network faster on CPUs and GPUs. Channels-last without fusing is slower
    on CPUs, so a network without batch norms is run unchanged and is not copied.
    """

    name = "torch"

    def __init__(
        self, network: nn.Module, device: torch.device, precision: Arithmetic, *, bands: int, live: bool = False
    ) -> None:
        """Prepare the network.

        Args:
            network: The network, on the device and in evaluation mode.
            device: Device of the network.
            precision: Floating-point type of the convolutions.
            bands: Number of bands of its images.
            live: Run the network itself, for networks whose weights change between calls (training).
        """
        self.precision = precision
        own = network if live else fuse_conv_bn(network, bands)
        split = convert_to_split_input(own, bands) if precision == "bfloat16" and not live else None
        self.splits_input = split is not None
        self.network = own if split is None else split
        self.layout = memory_format(device) if self.network is network else torch.channels_last
        if not live:
            self.network.to(memory_format=self.layout)

    def __call__(self, images: Float[Tensor, "batch band row col"]) -> Float[Tensor, "batch class row col"]:
        """Compute the logits; see :class:`~geoseg.models.engines.base.Engine`."""
        inputs = split_bf16(images) if self.splits_input else images
        inputs = inputs.contiguous(memory_format=self.layout)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            logits: Tensor = self.network(inputs)
        return logits.to(torch.float32, memory_format=torch.contiguous_format)
