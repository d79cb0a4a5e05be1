"""Tests of the focal loss."""

import math

import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.focal import Focal


@pytest.fixture
def pair():
    noise = torch.Generator().manual_seed(0)
    target = torch.randint(0, 4, (2, 6, 5), generator=noise)
    target[:, 2] = 255
    return torch.randn(2, 4, 6, 5, generator=noise), target


def test_example_computed_by_hand() -> None:
    """A pixel of probability 1/2 counts (1/2)^2 of its cross-entropy, log 2."""
    loss = Focal(classes=2, gamma=2.0)(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, dtype=torch.long))
    assert loss.item() == pytest.approx(math.log(2) / 4)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 0.0]])
def test_gamma_zero_equals_cross_entropy(pair, weights) -> None:
    ours = Focal(classes=4, gamma=0.0, class_weights=weights)(*pair)
    torch.testing.assert_close(ours, CrossEntropy(classes=4, class_weights=weights)(*pair))


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0])
def test_gradient_of_a_correct_pixel_is_finite_for_any_gamma(gamma) -> None:
    logits = torch.tensor([90.0, -90.0])[None, :, None, None].requires_grad_()
    Focal(classes=2, gamma=gamma)(logits, torch.zeros(1, 1, 1, dtype=torch.long)).backward()
    assert not logits.grad.any()


def test_number_of_weights_must_equal_number_of_classes() -> None:
    with pytest.raises(ConfigError, match="got 2 class_weights for 3 classes"):
        Focal(classes=3, class_weights=[1.0, 2.0])
