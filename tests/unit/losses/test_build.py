"""The losses a recipe lists become one weighted sum."""

import pytest
import torch

from geoseg.config.component import WeightedPart
from geoseg.errors import ConfigError
from geoseg.losses.build import build_loss
from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.dice import Dice

PAIR = (torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40).reshape(2, 4, 5) % 3)


def part(name: str, weight: float = 1.0, **options) -> WeightedPart:
    return WeightedPart(name=name, weight=weight, options=options)


def test_the_sum_is_made_of_its_weighted_terms() -> None:
    loss = build_loss([part("cross_entropy"), part("dice", 0.5, smooth=0)], classes=3)
    terms = loss.terms(*PAIR)
    torch.testing.assert_close(terms["cross_entropy"], CrossEntropy(classes=3)(*PAIR))
    torch.testing.assert_close(terms["dice"], 0.5 * Dice(classes=3, smooth=0.0)(*PAIR))
    torch.testing.assert_close(loss(*PAIR), terms["cross_entropy"] + terms["dice"])


def test_a_single_loss_is_itself() -> None:
    torch.testing.assert_close(build_loss([part("dice")], classes=3)(*PAIR), Dice(classes=3)(*PAIR))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "no loss to minimise"),
        ([part("dice", 0)], "no loss to minimise"),
        ([part("dice"), part("dice")], "the loss dice is listed twice"),
        ([part("dice"), part("cross_entropy", -1)], "the loss cross_entropy has the weight -1.0"),
        ([part("cross_entropi")], "there is no loss called 'cross_entropi'"),
        ([part("dice", smoth=1)], "the loss dice has no option 'smoth'"),
    ],
)
def test_what_is_wrong_with_a_list_of_losses_is_said(parts, message) -> None:
    with pytest.raises(ConfigError, match=message):
        build_loss(parts, classes=3)
