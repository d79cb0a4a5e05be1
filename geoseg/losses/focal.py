"""Focal loss: cross-entropy that turns away from pixels which are already right."""

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss, one_per_class


@losses.register
class Focal(Loss):
    """-a (1 - p)^g log p, with p = softmax(logits)[target], averaged over the labelled pixels with the weights a.

    Lin et al. 2017, arXiv 1708.02002, equation 5, with softmax in place of the sigmoid, as for any number of classes
    that exclude each other. It is our own because segmentation-models-pytorch's ``FocalLoss`` asks every class by a
    sigmoid of its own (a network that is sure of its class then still pays for the others) and is NaN without a
    labelled pixel; for two classes both are the same.
    ``gamma``: g, how fast a pixel loses weight as it comes right; 0 gives cross-entropy.
    ``class_weights``: a, one factor per class, in order of class index; the mean is weighted by them too.
    """

    def __init__(
        self,
        *,
        classes: int,
        ignore_index: int = IGNORE_INDEX,
        gamma: Annotated[float, Field(ge=0)] = 2.0,
        class_weights: Sequence[Annotated[float, Field(ge=0)]] | None = None,
    ) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        # Not persistent: the weights belong to the recipe, not to the network's state.
        self.register_buffer("class_weights", one_per_class(class_weights, classes), persistent=False)
        self.gamma = gamma

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The weighted mean over labelled pixels."""
        target = target.long()
        surprise = F.cross_entropy(logits.float(), target, ignore_index=self.ignore_index, reduction="none")
        tiny = torch.finfo(surprise.dtype).tiny
        # 1 - p; kept above 0, where the slope of the power is infinite for a gamma below 1.
        doubt = (-torch.expm1(-surprise)).clamp(min=tiny)

        weights = self.get_buffer("class_weights")
        valid = target != self.ignore_index
        weight_of_pixels = weights[torch.where(valid, target, 0)] * valid
        return (weight_of_pixels * doubt**self.gamma * surprise).sum() / weight_of_pixels.sum().clamp(min=tiny)
