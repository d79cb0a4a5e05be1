"""Soft Dice: how far predicted and labelled areas overlap, each class counting the same however small it is."""

from typing import Annotated

import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss


@losses.register
class Dice(Loss):
    """1 - mean over classes of (2 |P ∩ T| + s) / (|P| + |T| + s), areas taken over the labelled pixels of the batch.

    P are probabilities, T is 1 where the target is the class (Milletari et al. 2016, arXiv 1606.04797, equation 2, with
    plain sums in the denominator). Only classes that occur in the target count: for others the ratio says nothing but
    how small the probabilities already are, and their false alarms are missing from the classes that do occur. It is
    our own because segmentation-models-pytorch's ``DiceLoss`` divides by the absent classes too, and takes the overlap
    as a difference of sums over the batch, which in float32 costs the third digit of 16 crops of 512 x 512 pixels.
    ``smooth``: s in pixels; keeps the ratio calm for classes of a few pixels.
    """

    def __init__(
        self, *, classes: int, ignore_index: int = IGNORE_INDEX, smooth: Annotated[float, Field(ge=0)] = 1.0
    ) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        self.smooth = smooth

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The loss of the whole batch, between 0 and 1."""
        valid = (target != self.ignore_index).unsqueeze(1)
        # Half precision cannot count the pixels of a crop, hence float.
        probabilities = logits.float().softmax(dim=1) * valid
        indices = target.long().masked_fill(~valid.squeeze(1), 0)
        labelled = F.one_hot(indices, self.classes).movedim(-1, 1) * valid

        area = labelled.sum(dim=(0, 2, 3))
        overlap = (probabilities * labelled).sum(dim=(0, 2, 3))
        dice = (2 * overlap + self.smooth) / (probabilities.sum(dim=(0, 2, 3)) + area + self.smooth).clamp(min=1e-12)
        present = (area > 0).float()
        return ((1 - dice) * present).sum() / present.sum().clamp(min=1)
