"""Tests of the region mutual information loss."""

import math

import pytest
import torch
import torch.nn.functional as F

from geoseg.errors import ConfigError
from geoseg.losses.rmi import RIDGE, Rmi


@pytest.fixture
def pair():
    noise = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 12, 15, generator=noise), torch.randint(0, 3, (2, 12, 15), generator=noise)


def information(logits: torch.Tensor, target: torch.Tensor, **options) -> float:
    """Without cross-entropy, without pooling."""
    return Rmi(classes=3, pool_size=1, cross_entropy_weight=0.0, **options)(logits, target).item()


def test_loss_is_half_the_log_determinant_of_the_conditional_covariance(pair) -> None:
    """The paper's formula with its inverse, for squares of one pixel: M is a number."""
    logits, target = pair
    y = F.one_hot(target, 3).movedim(-1, 1).flatten(2).double()
    p = logits.sigmoid().flatten(2).double()
    y, p = y - y.mean(-1, keepdim=True), p - p.mean(-1, keepdim=True)
    left = (y * y).sum(-1) - (y * p).sum(-1) ** 2 / ((p * p).sum(-1) + RIDGE)
    expected = (left + RIDGE).log().mul(0.5).mean(0).sum().item()
    assert information(logits, target, radius=1) == pytest.approx(expected, rel=1e-6)


def test_prediction_and_its_negative_have_the_same_mutual_information(pair) -> None:
    logits, target = pair
    assert information(-logits, target) == pytest.approx(information(logits, target), rel=1e-6)


def test_cross_entropy_distinguishes_them(pair) -> None:
    _, target = pair
    right = 10.0 * (2 * F.one_hot(target, 3).movedim(-1, 1) - 1)
    loss = Rmi(classes=3)
    assert loss(-right, target) > loss(right, target) + 10


def test_loss_is_bounded_by_the_ridge(pair) -> None:
    _, target = pair
    right = 100.0 * (2 * F.one_hot(target, 3).movedim(-1, 1) - 1)
    assert 3 * 0.5 * math.log(RIDGE) < information(right, target) < 3 * 0.5 * math.log(2.1 * RIDGE)


def test_neighbours_lower_the_loss(pair) -> None:
    """A prediction that is right but one pixel aside."""
    _, target = pair
    aside = 10.0 * (2 * F.one_hot(target.roll(1, dims=2), 3).movedim(-1, 1) - 1)
    assert information(aside, target, radius=3) < information(aside, target, radius=1) - 1


def test_unlabelled_image_has_no_effect(pair) -> None:
    logits, target = pair
    target[1] = 255
    torch.testing.assert_close(Rmi(classes=3)(logits, target), Rmi(classes=3)(logits[:1], target[:1]))


@pytest.mark.parametrize(("pool", "left"), [("max", "2 x 3"), ("mean", "2 x 3"), ("interpolate", "1 x 2")])
def test_crops_smaller_than_the_square_are_refused(pool, left) -> None:
    with pytest.raises(ConfigError, match=f"needs 3 x 3 pixels, but crops are {left}"):
        Rmi(classes=2, pool=pool)(torch.zeros(1, 2, 5, 7), torch.zeros(1, 5, 7, dtype=torch.long))
