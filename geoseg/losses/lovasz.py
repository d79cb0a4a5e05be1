"""Lovász-Softmax: the loss of intersection over union, made smooth."""

from jaxtyping import Float, Integer
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss


@losses.register
class Lovasz(Loss):
    """The Lovász extension of 1 - IoU at the errors of the probabilities, mean over the classes in the target.

    Berman et al. 2018, arXiv 1705.08790; computed by segmentation-models-pytorch. Images
    without a labelled pixel are left out before it sees them, because it has no value for those.
    ``per_image``: IoU of each image, averaged over images, instead of the IoU of the whole batch.
    """

    def __init__(self, *, classes: int, ignore_index: int = IGNORE_INDEX, per_image: bool = False) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        self.extension = LovaszLoss("multiclass", per_image=per_image, ignore_index=ignore_index)

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The loss of the whole batch, between 0 and 1."""
        labelled = (target != self.ignore_index).flatten(start_dim=1).any(dim=1)
        # Half precision cannot count the pixels of a crop, hence float.
        logits = logits.float()[labelled]
        if not len(logits):
            return logits.sum()
        loss: Tensor = self.extension(logits, target[labelled])
        return loss
