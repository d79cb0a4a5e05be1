"""Focal loss: cross-entropy that down-weights well-classified pixels."""

from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss, make_class_weights


@losses.register
class Focal(Loss):
    """Focal loss, -a (1 - p)^g log p with p = softmax(logits)[target], averaged over labeled pixels with weights a.

    Lin et al. 2017, arXiv 1708.02002, equation 5, with softmax instead of sigmoid, for mutually exclusive classes.

    ``FocalLoss`` from segmentation-models-pytorch is not used because it applies a sigmoid to each class and returns
    NaN if there are no labeled pixels. For two classes, the two losses are identical.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
        gamma: g, which controls how strongly well-classified pixels are down-weighted; 0 gives cross-entropy.
        class_weights: a, one factor per class, ordered by class index; the mean is weighted by these factors, too. A
            recipe can also specify ``balanced`` or ``sqrt`` to compute them from the class frequencies of the training
            scenes.
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
        # Not persistent: weights are part of the recipe, not of the state dict.
        self.register_buffer("class_weights", make_class_weights(class_weights, classes), persistent=False)
        self.gamma = gamma

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Return the weighted mean over labeled pixels."""
        target = target.long()
        cross_entropy = F.cross_entropy(logits.float(), target, ignore_index=self.ignore_index, reduction="none")
        tiny = torch.finfo(cross_entropy.dtype).tiny
        # 1 - p, clamped to stay above 0, where the power function has an infinite slope if gamma is less than 1.
        complement = (-torch.expm1(-cross_entropy)).clamp(min=tiny)

        weights = self.get_buffer("class_weights")
        valid = target != self.ignore_index
        weight_of_pixels = weights[torch.where(valid, target, 0)] * valid
        return (weight_of_pixels * complement**self.gamma * cross_entropy).sum() / weight_of_pixels.sum().clamp(
            min=tiny
        )
