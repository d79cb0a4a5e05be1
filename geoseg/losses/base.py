"""The loss interface: maps logits and target to a scalar; unlabeled pixels are ignored."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from geoseg.legend import IGNORE_INDEX
from geoseg.losses._check_losses import require_class_weights


class Loss(nn.Module, ABC):
    """A module that maps logits and target to a scalar.

    Pixels whose target is the ignore index have no effect. If there are no other pixels, the loss and its gradient are
    0.

    Args:
        classes: Number of classes.
        ignore_index: Target value of unlabeled pixels.
    """

    perfect_is_zero: ClassVar[bool] = True
    """Whether the loss of a perfect prediction is 0, the minimum. If not, it is still lower than for any other
    prediction."""

    def __init__(self, *, classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.classes = classes
        self.ignore_index = ignore_index

    @abstractmethod
    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Compute the loss of logits for target class indices."""


def make_class_weights(class_weights: Sequence[float] | None, classes: int) -> Float[Tensor, " class"]:
    """Return class weights as a tensor; 1 for every class if ``class_weights`` is None.

    Raises:
        ConfigError: If the number of weights differs from the number of classes.
    """
    require_class_weights(class_weights, classes)
    return torch.tensor([1.0] * classes if class_weights is None else list(class_weights))
