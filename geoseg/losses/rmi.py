"""Region mutual information (RMI) loss between predictions and labels in the neighborhood of each pixel.

Zhao et al. 2019, "Region Mutual Information Loss for Semantic Segmentation", arXiv 1910.12037, with the constants from
the authors' code. Each pixel and its neighbors form a point with R x R dimensions, once for the labels (y) and once
for the probabilities (p). If both are Gaussian, y given p has the covariance M = Syy - Syp Spp^-1 Spy, and their mutual
information is the entropy of y minus 1/2 log det M. The loss is 1/2 log det M.
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
"""Value added to the diagonals of Spp and M to make both invertible."""

FLOOR = 1e-6
"""Value added to every probability."""


@losses.register
class Rmi(Loss):
    """Sum over classes of 1/2 log det M per dimension, averaged over images, plus binary cross-entropy.

    Probabilities are computed with one sigmoid per class, not with a softmax. Images without labeled pixels are
    ignored. The loss is computed in float64 because, near a perfect prediction, M is a small difference between large
    numbers. Until the backward pass, it uses 16 R^2 bytes per class per pixel (after pooling): 400 MB for 16 crops of
    512 x 512 pixels and 6 classes.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
        radius: R, the side length of the square neighborhood in pixels.
        pool: How probabilities and labels are downsampled first: ``max``, ``mean`` or ``interpolate`` (bilinear for
            probabilities, nearest for labels).
        pool_size: Downsampling factor; 1 disables downsampling.
        cross_entropy_weight: Weight of the binary cross-entropy, without which a prediction and its complement have
            nearly the same loss. With a weight of 1, the loss is twice the authors' loss. With a weight of 0, add a
            cross-entropy loss to the recipe (PaddleSeg uses 0.5 times ``cross_entropy`` and 0.5 times this loss).
    """

    perfect_is_zero: ClassVar[bool] = False
    """The lower bound is 1/2 log RIDGE = -3.8 per class; a perfect prediction comes close to it."""

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
        """Return the loss of the labeled images."""
        labeled = (target != self.ignore_index).flatten(start_dim=1).any(dim=1)
        logits, target = logits.float()[labeled], target[labeled].long()
        if not len(logits):
            return logits.sum()
        valid = (target != self.ignore_index).unsqueeze(1)
        labels = F.one_hot(target.masked_fill(~valid.squeeze(1), 0), self.classes).movedim(-1, 1) * valid.float()

        labels_small, probabilities = self._downsample(labels, logits.sigmoid() * valid + FLOOR)
        information = _conditional_log_det(self._regions(labels_small), self._regions(probabilities))
        region_loss = information.mean(dim=0).sum() / (2 * self.radius**2)
        cross_entropy = F.binary_cross_entropy_with_logits(
            logits, labels, valid.float().expand_as(labels), reduction="sum"
        )
        return (region_loss + self.cross_entropy_weight * cross_entropy / (valid.sum() + 1)).float()

    def _downsample(self, labels: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
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
                f"the loss rmi needs {self.radius} x {self.radius} pixels, but crops are {maps.shape[2]} x {maps.shape[3]} "
                f"after pooling by {self.pool_size}",
                "use larger crops, or a smaller pool_size or radius",
            )
        points = F.unfold(maps.flatten(end_dim=1).unsqueeze(1), self.radius).double()
        centered: Tensor = points - points.mean(dim=-1, keepdim=True)
        return centered.reshape(*maps.shape[:2], *points.shape[1:])


def _conditional_log_det(
    labels: Float[Tensor, "image class dimension point"], probabilities: Float[Tensor, "image class dimension point"]
) -> Float[Tensor, "image class"]:
    """Return log det M, computed from the trailing block of the Cholesky factor of the joint covariance."""
    joint = torch.cat([probabilities, labels], dim=2)
    covariance = joint @ joint.mT + RIDGE * torch.eye(joint.shape[2], dtype=joint.dtype, device=joint.device)
    factor = torch.linalg.cholesky(covariance)
    left: Tensor = factor.diagonal(dim1=-2, dim2=-1)[..., labels.shape[2] :]
    return 2 * left.log().sum(dim=-1)
