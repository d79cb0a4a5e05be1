"""Tests of online hard example mining."""

import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.losses import losses
from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.ohem import Ohem

PROBABILITIES = torch.tensor([0.9, 0.2, 0.6, 0.4])
"""Of the right class, at four pixels in a row."""

LOGITS = torch.stack([PROBABILITIES.log(), (1 - PROBABILITIES).log()])[None, :, None]
TARGET = torch.zeros(1, 1, 4, dtype=torch.long)


@pytest.mark.parametrize(
    ("options", "counted"),
    [
        ({"kept": 1}, [0.2]),
        ({"kept": 3}, [0.2, 0.4, 0.6]),
        ({"kept": 100}, [0.2, 0.4, 0.6, 0.9]),
        ({"kept": 1, "threshold": 0.5}, [0.2, 0.4]),
        ({"kept": 3, "threshold": 0.5}, [0.2, 0.4, 0.6]),
        ({"kept": 100, "threshold": 0.5}, [0.2, 0.4, 0.6, 0.9]),
    ],
)
def test_hardest_pixels_and_pixels_below_the_threshold_are_kept(options, counted) -> None:
    hardest = Ohem(classes=2, **options).hardest(LOGITS, TARGET)
    torch.testing.assert_close(hardest, -torch.tensor(counted).log())


def test_mean_is_over_kept_or_all_pixels() -> None:
    summed = -torch.tensor([0.2, 0.4]).log().sum()
    torch.testing.assert_close(Ohem(classes=2, kept=2)(LOGITS, TARGET), summed / 2)
    torch.testing.assert_close(Ohem(classes=2, kept=2, average="all")(LOGITS, TARGET), summed / 4)


def test_unlabelled_pixels_are_never_kept() -> None:
    target = TARGET.clone()
    target[..., 1] = 255
    torch.testing.assert_close(Ohem(classes=2, kept=1)(LOGITS, target), -torch.tensor(0.4).log())


def test_kept_is_per_image() -> None:
    assert len(Ohem(classes=2, kept=1).hardest(LOGITS.expand(3, -1, -1, -1), TARGET.expand(3, -1, -1))) == 3


@pytest.mark.parametrize("threshold", [None, 0.1])
def test_ties_do_not_change_the_number_of_kept_pixels(threshold) -> None:
    """A network that knows nothing yet finds all pixels equally hard."""
    loss = Ohem(classes=2, kept=3, threshold=threshold)
    torch.testing.assert_close(loss.hardest(torch.zeros(1, 2, 1, 4), TARGET), torch.tensor([0.5] * 3).log().neg())


def test_keeping_all_pixels_equals_cross_entropy() -> None:
    torch.testing.assert_close(Ohem(classes=2)(LOGITS, TARGET), CrossEntropy(classes=2)(LOGITS, TARGET))


@pytest.mark.parametrize(
    ("option", "value"), [("kept", 0), ("threshold", 0.0), ("threshold", 1.5), ("average", "valid")]
)
def test_invalid_options_are_refused(option, value) -> None:
    with pytest.raises(ConfigError, match=f"loss ohem: {option}"):
        losses.build("ohem", {option: value}, classes=2, ignore_index=255)
