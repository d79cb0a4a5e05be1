"""Tests of the Dice loss."""

import pytest
import torch

from geoseg.losses.dice import Dice


def test_example_computed_by_hand() -> None:
    """Two pixels of class 0 and 1, both predicted half and half: overlaps 1/2, areas 1 and 1."""
    loss = Dice(classes=2, smooth=0.0)(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]]))
    assert loss.item() == pytest.approx(1 - 2 * 0.5 / (1 + 1))


def test_small_and_large_classes_have_equal_weight() -> None:
    target = torch.zeros(1, 10, 10, dtype=torch.long)
    target[0, 0, 0] = 1
    all_background = 100 * torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 10, 10)
    assert Dice(classes=2, smooth=0.0)(all_background, target).item() == pytest.approx(0.5, abs=0.01)


def test_absent_classes_are_excluded() -> None:
    target = torch.tensor([[[0, 1, 255]]])
    logits = torch.tensor([3.0, -1.0, -90.0])[None, :, None, None].expand(1, 3, 1, 3)
    torch.testing.assert_close(Dice(classes=3)(logits, target), Dice(classes=2)(logits[:, :2], target))


def test_false_positives_of_absent_classes_increase_the_loss() -> None:
    target = torch.zeros(1, 2, 2, dtype=torch.long)
    sure, unsure = torch.zeros(2, 1, 3, 2, 2)
    sure[:, 0] = 9
    unsure[:, 2] = 2
    loss = Dice(classes=3)
    assert loss(unsure, target) > loss(sure, target) + 0.3


def test_overlap_of_a_small_class_is_exact_in_a_large_batch() -> None:
    """Ten pixels of one class among four million: a difference of sums would lose them."""
    noise = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 2, 1024, 1024, generator=noise)
    target = torch.zeros(4, 1024, 1024, dtype=torch.uint8)
    target[0, 0, :10] = 1
    share = logits.double().softmax(dim=1)
    scores = [2 * share[:, k][target == k].sum() / (share[:, k].sum() + (target == k).sum()) for k in (0, 1)]
    loss = Dice(classes=2, smooth=0.0)(logits, target)
    assert loss.item() == pytest.approx(1 - sum(scores).item() / 2, rel=1e-6)


def test_large_crop_is_exact_in_half_precision() -> None:
    target = torch.zeros(1, 128, 128, dtype=torch.long)
    logits = torch.zeros(1, 2, 128, 128, dtype=torch.float16)
    assert Dice(classes=2, smooth=0.0)(logits, target).item() == pytest.approx(1 / 3, rel=1e-5)
