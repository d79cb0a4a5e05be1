"""Lovász-Softmax loss: a differentiable surrogate of intersection over union."""

from jaxtyping import Float, Integer
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor

from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss


@losses.register
class Lovasz(Loss):
    """Lovász extension of 1 - IoU, evaluated at the prediction errors and averaged over the classes in the target.

    Berman et al. 2018, arXiv 1705.08790, as implemented in segmentation-models-pytorch. Images without labeled pixels
    are removed first because the loss is undefined for them.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
        per_image: Average the loss over images instead of using the IoU of the whole batch.
    """

    def __init__(self, *, classes: int, ignore_index: int = IGNORE_INDEX, per_image: bool = False) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        self.extension = LovaszLoss("multiclass", per_image=per_image, ignore_index=ignore_index)

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Return the loss of the batch, between 0 and 1."""
        labeled = (target != self.ignore_index).flatten(start_dim=1).any(dim=1)
        # float32, because half precision cannot represent the number of pixels in a crop.
        logits = logits.float()[labeled]
        if not len(logits):
            return logits.sum()
        loss: Tensor = self.extension(logits, target[labeled])
        return loss
