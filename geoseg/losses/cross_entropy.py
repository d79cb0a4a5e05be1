"""Cross-entropy: the mean negative log-likelihood of the target classes."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss, make_class_weights


@losses.register
class CrossEntropy(Loss):
    """Cross-entropy, -log softmax(logits)[target], averaged over pixels.

    The average is computed here because torch's mean is NaN if there are no labeled pixels.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
        class_weights: One factor per class, ordered by class index; the mean is weighted by these factors, too. A
            recipe can also specify ``balanced`` or ``sqrt`` to compute them from the class frequencies of the training
            scenes.
        label_smoothing: Fraction of each target that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv 1512.00567, section 7).
        average: ``valid`` is the mean over labeled pixels. ``all`` multiplies this mean by the fraction of pixels that
            are labeled, so that a batch with few labeled pixels has less weight; mmsegmentation does the same by
            dividing by the total number of pixels. Here, ``all`` also works with class weights, which mmsegmentation
            does not support if there are unlabeled pixels.
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
        # Not persistent: weights are part of the recipe, not of the state dict.
        self.register_buffer("class_weights", make_class_weights(class_weights, classes), persistent=False)
        self.label_smoothing = label_smoothing
        self.average = average

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Return the weighted mean over pixels."""
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
        # If there are no valid pixels, both sums are 0, and so is the mean.
        mean = losses_of_pixels.sum() / total_weight.clamp(min=torch.finfo(weights.dtype).tiny)
        return mean if self.average == "valid" else mean * valid.float().mean()
