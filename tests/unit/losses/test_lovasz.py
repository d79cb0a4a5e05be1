"""Tests of the Lovász-Softmax loss."""

import pytest
import torch
from torchmetrics.functional.segmentation import mean_iou

from geoseg.losses.lovasz import Lovasz


@pytest.fixture
def pair():
    """A prediction and a target (2, 9, 8) of three classes."""
    noise = torch.Generator().manual_seed(0)
    predicted, target = torch.randint(0, 3, (2, 2, 9, 8), generator=noise)
    return predicted, target


def certain(predicted: torch.Tensor) -> torch.Tensor:
    return 100 * torch.nn.functional.one_hot(predicted, 3).movedim(-1, 1).float()


def test_loss_of_a_certain_prediction_is_one_minus_iou(pair) -> None:
    """As one image, because IoU of the batch counts its pixels together."""
    predicted, target = (mask.flatten(end_dim=1)[None] for mask in pair)
    iou = mean_iou(predicted, target, num_classes=3, input_format="index")
    assert Lovasz(classes=3)(certain(predicted), target).item() == pytest.approx(1 - iou.item())


def test_per_image_is_the_mean_over_images(pair) -> None:
    predicted, target = pair
    iou = mean_iou(predicted, target, num_classes=3, input_format="index")
    assert Lovasz(classes=3, per_image=True)(certain(predicted), target).item() == pytest.approx(1 - iou.mean().item())


@pytest.mark.parametrize("per_image", [False, True])
def test_unlabelled_image_has_no_effect(pair, per_image) -> None:
    predicted, target = pair
    target[1] = 255
    loss = Lovasz(classes=3, per_image=per_image)
    torch.testing.assert_close(loss(certain(predicted), target), loss(certain(predicted[:1]), target[:1]))


def test_absent_classes_are_excluded(pair) -> None:
    """A false alarm of theirs still costs the class it displaces: 1 of 4 pixels."""
    predicted = torch.tensor([[[0, 0], [0, 2]]])
    assert Lovasz(classes=3)(certain(predicted), torch.zeros_like(predicted)).item() == pytest.approx(1 / 4)
