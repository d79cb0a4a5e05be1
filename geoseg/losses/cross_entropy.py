"""Cross-entropy: the mean surprise at each pixel's class."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss, one_per_class


@losses.register
class CrossEntropy(Loss):
    """-log softmax(logits)[target] by torch, weighted by class and averaged here: torch's own mean of no pixel is NaN.

    ``class_weights``: one factor per class, in order of class index; the mean is weighted by them too.
    ``label_smoothing``: the share of each target spread evenly over all classes (Szegedy et al. 2016, arXiv 1512.00567,
    section 7).
    ``average``: ``valid`` is the mean over labelled pixels. ``all`` multiplies it with their share of all pixels (the
    OpenMMLab zoo does so by dividing by all of them), so that a batch with few labelled pixels counts less. Class
    weights beside unlabelled pixels, which the zoo's code cannot take, follow the same rule.
    """

    def __init__(
        self,
        *,
        classes: int,
        ignore_index: int = IGNORE_INDEX,
        class_weights: Sequence[Annotated[float, Field(ge=0)]] | None = None,
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        average: Literal["valid", "all"] = "valid",
    ) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        # Not persistent: the weights belong to the recipe, not to the network's state.
        self.register_buffer("class_weights", one_per_class(class_weights, classes), persistent=False)
        self.label_smoothing = label_smoothing
        self.average = average

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The weighted mean over pixels."""
        target = target.long()
        weights = self.get_buffer("class_weights")
        losses_of_pixels = F.cross_entropy(
            logits.float(),
            target,
            weight=weights,
            ignore_index=self.ignore_index,
            reduction="none",
            label_smoothing=self.label_smoothing,
        )
        valid = target != self.ignore_index
        total_weight = (weights[torch.where(valid, target, 0)] * valid).sum()
        # Without a valid pixel both sums are 0, and so should be the mean.
        mean = losses_of_pixels.sum() / total_weight.clamp(min=torch.finfo(weights.dtype).tiny)
        return mean if self.average == "valid" else mean * valid.float().mean()
