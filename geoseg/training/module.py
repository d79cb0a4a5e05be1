"""One step of training as a module: a batch of crops to the loss of its main and auxiliary logits."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from geoseg.losses.build import WeightedSum
from geoseg.models.backbones.base import Scaling
from geoseg.models.input_normalization import normalise
from geoseg.models.network import SegmentationNetwork


class TrainingStep(nn.Module):
    """A network with its scaling and its loss.

    It is a module because processes that train together exchange gradients after its forward pass.
    """

    mean: Tensor
    """Per band, subtracted first; shape (1, band, 1, 1)."""
    std: Tensor
    """Per band, divided by afterwards; shape (1, band, 1, 1)."""

    def __init__(
        self, network: SegmentationNetwork, criterion: WeightedSum, scaling: Scaling, *, auxiliary_weight: float
    ) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self.auxiliary_weight = auxiliary_weight
        self.layout = torch.contiguous_format
        self.register_buffer("mean", _per_band(scaling.mean), persistent=False)
        self.register_buffer("std", _per_band(scaling.std), persistent=False)

    def forward(
        self,
        image: Num[Tensor, "batch band row col"],
        target: Num[Tensor, "batch row col"],
        valid: Bool[Tensor, "batch row col"],
    ) -> Float[Tensor, ""]:
        """The loss: that of the head, plus that of the auxiliary head times its weight."""
        logits, auxiliary = self.network.logits_with_auxiliary(self.normalised(image, valid))
        loss: Tensor = self.criterion(logits.float(), target.long())
        if auxiliary is not None:
            loss = loss + self.auxiliary_weight * self.criterion(auxiliary.float(), target.long())
        return loss

    def normalised(
        self, image: Num[Tensor, "batch band row col"], valid: Bool[Tensor, "batch row col"]
    ) -> Float[Tensor, "batch band row col"]:
        """Images as the network wants them."""
        scaled = normalise(image, valid, mean=self.mean, std=self.std)
        return scaled.contiguous(memory_format=self.layout)

    def lay_out(self, layout: torch.memory_format) -> None:
        """Let weights, and from now on images, lie so in memory."""
        self.layout = layout
        self.to(memory_format=layout)


def _per_band(numbers: Sequence[float]) -> Float[Tensor, "1 band 1 1"]:
    return torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, 1, 1)
