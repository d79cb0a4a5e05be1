"""Tests of cross-entropy against torch."""

import pytest
import torch
import torch.nn.functional as F

from geoseg.errors import ConfigError
from geoseg.losses import losses
from geoseg.losses.cross_entropy import CrossEntropy


@pytest.fixture
def pair():
    noise = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, 5, generator=noise)
    target = torch.randint(0, 4, (2, 6, 5), generator=noise)
    target[:, 2] = 255
    return logits, target


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 0.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mean_over_labelled_pixels_equals_torch(pair, weights, smoothing) -> None:
    ours = CrossEntropy(classes=4, class_weights=weights, label_smoothing=smoothing)(*pair)
    given = torch.tensor(weights) if weights else None
    theirs = F.cross_entropy(*pair, weight=given, ignore_index=255, label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)


def test_mean_over_all_pixels_counts_unlabelled_ones_as_zero(pair) -> None:
    total = F.cross_entropy(*pair, ignore_index=255, reduction="sum")
    torch.testing.assert_close(CrossEntropy(classes=4, average="all")(*pair), total / pair[1].numel())


def test_loss_is_zero_for_classes_of_weight_zero(pair) -> None:
    logits, target = pair
    loss = CrossEntropy(classes=4, class_weights=[1.0, 1.0, 1.0, 0.0])
    assert loss(logits, torch.full_like(target, 3)).item() == 0


def test_number_of_weights_must_equal_number_of_classes() -> None:
    with pytest.raises(ConfigError, match="got 2 class_weights for 3 classes"):
        CrossEntropy(classes=3, class_weights=[1.0, 2.0])


@pytest.mark.parametrize(
    ("option", "value"),
    [("label_smoothing", 1.0), ("class_weights", [1, -1]), ("average", "some"), ("class_weights", "many")],
)
def test_invalid_options_are_refused(option, value) -> None:
    with pytest.raises(ConfigError, match=f"loss cross_entropy: {option}"):
        losses.build("cross_entropy", {option: value}, classes=2, ignore_index=255)


def test_options_accept_yaml_types() -> None:
    options = {"label_smoothing": "1e-1", "class_weights": [1, "2"], "average": "all"}
    loss = losses.build("cross_entropy", options, classes=2, ignore_index=255)
    assert loss.label_smoothing == 0.1
    assert loss.get_buffer("class_weights").tolist() == [1, 2]
