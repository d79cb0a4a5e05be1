"""Tests of building the weighted sum of losses."""

import pytest
import torch

from geoseg.config.component_spec import WeightedComponent
from geoseg.errors import ConfigError
from geoseg.losses.build import build_loss
from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.dice import Dice

PAIR = (torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40).reshape(2, 4, 5) % 3)


def part(name: str, weight: float = 1.0, **options) -> WeightedComponent:
    return WeightedComponent(name=name, weight=weight, options=options)


def test_sum_equals_its_weighted_terms() -> None:
    loss = build_loss([part("cross_entropy"), part("dice", 0.5, smooth=0)], classes=3)
    terms = loss.terms(*PAIR)
    torch.testing.assert_close(terms["cross_entropy"], CrossEntropy(classes=3)(*PAIR))
    torch.testing.assert_close(terms["dice"], 0.5 * Dice(classes=3, smooth=0.0)(*PAIR))
    torch.testing.assert_close(loss(*PAIR), terms["cross_entropy"] + terms["dice"])


def test_single_loss_is_unchanged() -> None:
    torch.testing.assert_close(build_loss([part("dice")], classes=3)(*PAIR), Dice(classes=3)(*PAIR))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "no loss to minimize"),
        ([part("dice", 0)], "no loss to minimize"),
        ([part("dice"), part("dice")], "the loss dice is listed twice"),
        ([part("dice"), part("cross_entropy", -1)], "the loss cross_entropy has the negative weight -1.0"),
        ([part("cross_entropi")], "unknown loss 'cross_entropi'"),
        ([part("dice", smoth=1)], "the loss dice has no option 'smoth'"),
    ],
)
def test_invalid_list_of_losses_is_refused(parts, message) -> None:
    with pytest.raises(ConfigError, match=message):
        build_loss(parts, classes=3)
