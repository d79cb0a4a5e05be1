"""From the losses a recipe lists to one loss: their weighted sum."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn

from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX
from geoseg.losses import losses
from geoseg.losses.base import Loss


@runtime_checkable
class WeightedPart(Protocol):
    """One loss of a recipe."""

    @property
    def name(self) -> str:
        """Name of the loss: its file's."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What it is called with."""

    @property
    def weight(self) -> float:
        """Its factor in the sum."""


class WeightedSum(nn.Module):
    """Several losses, each times its weight, added up.

    ``parts`` are losses by name, ``weights`` their factors in the same order.
    """

    def __init__(self, parts: Mapping[str, Loss], weights: Sequence[float]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.weights = tuple(weights)

    def forward(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> Float[Tensor, ""]:
        """The sum of :meth:`terms`."""
        return torch.stack(list(self.terms(logits, target).values())).sum()

    def terms(
        self, logits: Float[Tensor, "batch class row col"], target: Integer[Tensor, "batch row col"]
    ) -> dict[str, Float[Tensor, ""]]:
        """Each loss times its weight, by name: what the sum is made of."""
        return {
            name: weight * part(logits, target)
            for (name, part), weight in zip(self.parts.items(), self.weights, strict=True)
        }


def build_loss(parts: Sequence[WeightedPart], *, classes: int) -> WeightedSum:
    """The weighted sum of the losses that a recipe lists; :class:`ConfigError` names what is wrong with one."""
    names = [part.name for part in parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"the loss {twice[0]} is listed twice", "list it once, with the sum of the weights")
    if not parts or all(part.weight == 0 for part in parts):
        raise ConfigError("there is no loss to minimise", "list at least one loss with a weight above 0")
    negative = [part for part in parts if part.weight < 0]
    if negative:
        raise ConfigError(
            f"the loss {negative[0].name} has the weight {negative[0].weight}", "weights are not negative"
        )
    built = {
        part.name: losses.build(part.name, part.options, classes=classes, ignore_index=IGNORE_INDEX) for part in parts
    }
    return WeightedSum(built, [part.weight for part in parts])
