"""Region mutual information: how much the prediction around a pixel tells about the labels around it.

Zhao et al. 2019, "Region Mutual Information Loss for Semantic Segmentation", arXiv 1910.12037, with the numbers of
their code. Every pixel with its neighbours is a point of R x R dimensions, once for the labels (y) and once for the
probabilities (p). Were both Gaussian, y given p would have the covariance M = Syy - Syp Spp^-1 Spy, and their mutual
information would be that of y less 1/2 log det M: the loss is 1/2 log det M.
"""

from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Integer
from pydantic import Field
from torch import Tensor

from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss

RIDGE = 5e-4
"""Added to the diagonals of Spp and M, so that both have an inverse."""

FLOOR = 1e-6
"""Added to every probability."""


@losses.register
class Rmi(Loss):
    """The sum over classes of 1/2 log det M per dimension, mean over images; and binary cross-entropy beside it.

    Our own because segmentation-models-pytorch has nothing of the kind. Classes are asked one by one, through a
    sigmoid. Images without a labelled pixel are left out. It is computed in float64, because near a perfect prediction
    M is a small difference of large numbers. Until the backward pass it keeps 16 R^2 bytes per class and pixel after
    pooling: 400 MB for 16 crops of 512 x 512 pixels and 6 classes.
    ``radius``: R, the side of the square of neighbours in pixels.
    ``pool``, ``pool_size``: probabilities and labels are first made smaller by this factor: by their maximum, their
    mean, or interpolation (labels by the nearest); 1 leaves them as they are.
    ``cross_entropy_weight``: the factor of binary cross-entropy, without which a prediction and its negative cost
    much the same. 1 gives twice the authors' loss; 0 leaves it to another loss of the recipe (as PaddleSeg does, with
    0.5 times ``cross_entropy`` and 0.5 times this).
    """

    perfect_is_zero: ClassVar[bool] = False
    """Each class costs 1/2 log RIDGE, which is -3.8, at the least; the value of a perfect prediction is near that."""

    def __init__(
        self,
        *,
        classes: int,
        ignore_index: int = IGNORE_INDEX,
        radius: Annotated[int, Field(gt=0)] = 3,
        pool: Literal["max", "mean", "interpolate"] = "max",
        pool_size: Annotated[int, Field(gt=0)] = 3,
        cross_entropy_weight: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__(classes=classes, ignore_index=ignore_index)
        self.radius = radius
        self.pool = pool
        self.pool_size = pool_size
        self.cross_entropy_weight = cross_entropy_weight

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The loss of the labelled images."""
        labelled = (target != self.ignore_index).flatten(start_dim=1).any(dim=1)
        logits, target = logits.float()[labelled], target[labelled].long()
        if not len(logits):
            return logits.sum()
        valid = (target != self.ignore_index).unsqueeze(1)
        labels = F.one_hot(target.masked_fill(~valid.squeeze(1), 0), self.classes).movedim(-1, 1) * valid.float()

        labels_small, probabilities = self._pooled(labels, logits.sigmoid() * valid + FLOOR)
        information = _log_det_of_rest(self._regions(labels_small), self._regions(probabilities))
        region_loss = information.mean(dim=0).sum() / (2 * self.radius**2)
        surprise = F.binary_cross_entropy_with_logits(logits, labels, valid.float().expand_as(labels), reduction="sum")
        return (region_loss + self.cross_entropy_weight * surprise / (valid.sum() + 1)).float()

    def _pooled(self, labels: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        size, half = self.pool_size, self.pool_size // 2
        if self.pool == "max":
            return F.max_pool2d(labels, size, size, half), F.max_pool2d(probabilities, size, size, half)
        if self.pool == "mean":
            return F.avg_pool2d(labels, size, size, half), F.avg_pool2d(probabilities, size, size, half)
        small = (max(labels.shape[2] // size, 1), max(labels.shape[3] // size, 1))
        return F.interpolate(labels, small), F.interpolate(probabilities, small, mode="bilinear", align_corners=True)

    def _regions(self, maps: Float[Tensor, "image class row col"]) -> Float[Tensor, "image class dimension point"]:
        if min(maps.shape[2:]) < self.radius:
            raise ConfigError(
                f"the loss rmi finds no {self.radius} x {self.radius} pixels in {maps.shape[2]} x {maps.shape[3]}, "
                f"what is left of a crop after pooling by {self.pool_size}",
                "use larger crops, or a smaller pool_size or radius",
            )
        points = F.unfold(maps.flatten(end_dim=1).unsqueeze(1), self.radius).double()
        centred: Tensor = points - points.mean(dim=-1, keepdim=True)
        return centred.reshape(*maps.shape[:2], *points.shape[1:])


def _log_det_of_rest(
    labels: Float[Tensor, "image class dimension point"], probabilities: Float[Tensor, "image class dimension point"]
) -> Float[Tensor, "image class"]:
    """Log det M. M + RIDGE is what Cholesky's method leaves of the joint covariance after eliminating ``p``."""
    joint = torch.cat([probabilities, labels], dim=2)
    covariance = joint @ joint.mT + RIDGE * torch.eye(joint.shape[2], dtype=joint.dtype, device=joint.device)
    factor = torch.linalg.cholesky(covariance)
    left: Tensor = factor.diagonal(dim1=-2, dim2=-1)[..., labels.shape[2] :]
    return 2 * left.log().sum(dim=-1)
