"""Soft Dice loss: overlap between predicted and labeled areas, with the same weight for every class."""

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
    """Dice loss, 1 - mean over classes of (2 |P ∩ T| + s) / (|P| + |T| + s), over the labeled pixels of a batch.

    P are the probabilities of a class, and T is 1 where the target is that class (Milletari et al. 2016, arXiv
    1606.04797, equation 2, with plain sums in the denominator). The mean is taken over the classes that occur in the
    target.

    ``DiceLoss`` from segmentation-models-pytorch is not used because it also divides by absent classes, and because it
    computes the overlap as a difference of sums over the batch, which in float32 is only accurate to two digits for 16
    crops of 512 x 512 pixels.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
        smooth: s, in pixels; it stabilizes the ratio for classes with few pixels.
    """

    def __init__(
        self, *, classes: int, ignore_index: int = IGNORE_INDEX, smooth: Annotated[float, Field(ge=0)] = 1.0
    ) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        self.smooth = smooth

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Return the loss of the batch, between 0 and 1."""
        valid = (target != self.ignore_index).unsqueeze(1)
        # float32, because half precision cannot represent the number of pixels in a crop.
        probabilities = logits.float().softmax(dim=1) * valid
        indices = target.long().masked_fill(~valid.squeeze(1), 0)
        labeled = F.one_hot(indices, self.classes).movedim(-1, 1) * valid

        area = labeled.sum(dim=(0, 2, 3))
        overlap = (probabilities * labeled).sum(dim=(0, 2, 3))
        dice = (2 * overlap + self.smooth) / (probabilities.sum(dim=(0, 2, 3)) + area + self.smooth).clamp(min=1e-12)
        present = (area > 0).float()
        return ((1 - dice) * present).sum() / present.sum().clamp(min=1)
