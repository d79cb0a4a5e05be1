"""What a loss promises: one number that is small when logits tell the target, and ignores unlabelled pixels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX


class Loss(nn.Module, ABC):
    """Logits and target to a scalar.

    Every loss is constructed with ``classes`` and ``ignore_index``, and then with options of its own. It does not look
    at pixels whose target is the ignore index; without any other pixel it is 0, and so is its gradient.
    """

    perfect_is_zero: ClassVar[bool] = True
    """Whether a perfect prediction costs 0 and nothing less than 0. If not, it still costs less than others."""

    def __init__(self, *, classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.classes = classes
        self.ignore_index = ignore_index

    @abstractmethod
    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The loss of logits against class indices."""


def one_per_class(class_weights: Sequence[float] | None, classes: int) -> Float[Tensor, " class"]:
    """The weights as a tensor, 1 for every class if there are none; :class:`ConfigError` if they are too few or many."""
    weights = [1.0] * classes if class_weights is None else list(class_weights)
    if len(weights) != classes:
        raise ConfigError(f"{len(weights)} class_weights are given for {classes} classes", "give one per class")
    return torch.tensor(weights)
