"""The loss interface: modules that map logits and target class indices to a scalar, ignoring unlabeled pixels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from geoseg.legend import IGNORE_INDEX
from geoseg.losses._check_losses import require_class_weights


class Loss(nn.Module, ABC):
    """A module that maps logits and target class indices to a scalar.

    Pixels whose target is the ignore index have no effect. If there are no other pixels, the loss and its gradient are
    0.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
    """

    perfect_is_zero: ClassVar[bool] = True
    """Whether a perfect prediction has a loss of 0, the minimum. If not, its loss is still lower than that of any other
    prediction."""

    def __init__(self, *, classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.classes = classes
        self.ignore_index = ignore_index

    @abstractmethod
    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Compute the loss of logits with respect to target class indices."""


def make_class_weights(class_weights: Sequence[float] | None, classes: int) -> Float[Tensor, " class"]:
    """Return class weights as a tensor; 1 for every class if ``class_weights`` is None.

    Raises:
        ConfigError: If the number of weights differs from the number of classes.
    """
    require_class_weights(class_weights, classes)
    return torch.tensor([1.0] * classes if class_weights is None else list(class_weights))
