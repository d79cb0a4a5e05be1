"""Build the weighted sum of the losses in a recipe."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from geoseg.config.component_spec import WeightedComponent
from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses._check_losses import check_losses
from geoseg.losses.base import Loss


class WeightedSum(nn.Module):
    """The weighted sum of several losses.

    Args:
        parts: Mapping from names to losses.
        weights: Weight of each loss, in the same order.
    """

    def __init__(self, parts: Mapping[str, Loss], weights: Sequence[float]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.weights = tuple(weights)

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """Return the sum of :meth:`terms`."""
        return torch.stack(list(self.terms(logits, target).values())).sum()

    def terms(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> dict[str, Float[Tensor, ""]]:
        """Return each loss multiplied by its weight, keyed by name."""
        return {
            name: weight * part(logits, target)
            for (name, part), weight in zip(self.parts.items(), self.weights, strict=True)
        }


def build_loss(parts: Sequence[WeightedComponent], *, classes: int) -> WeightedSum:
    """Build the weighted sum of the losses in a recipe.

    Args:
        parts: Losses with names, options and weights.
        classes: Number of classes.

    Raises:
        ConfigError: If a loss, an option or a weight is invalid, a loss is listed twice, or all weights are 0.
    """
    check_losses(parts, classes=classes)
    built = {
        part.name: losses.build(part.name, part.options, classes=classes, ignore_index=IGNORE_INDEX) for part in parts
    }
    return WeightedSum(built, [part.weight for part in parts])
