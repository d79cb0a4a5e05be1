"""Dice, focal and Lovász have segmentation-models-pytorch's values wherever it has any."""

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss, LovaszLoss
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits
from torch import Tensor

from geoseg.losses.dice import Dice
from geoseg.losses.focal import Focal
from geoseg.losses.lovasz import Lovasz


def scene(classes: int) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(classes)
    target = torch.randint(0, classes, (3, 20, 16), generator=noise)
    target[torch.rand(target.shape, generator=noise) < 0.3] = 255
    return 3 * torch.randn(3, classes, 20, 16, generator=noise), target


@pytest.mark.parametrize("absent", [0, 1, 2])
@pytest.mark.parametrize("smooth", [0.0, 1.0, 5.0])
def test_dice_is_theirs_shared_among_the_classes_that_occur(smooth, absent) -> None:
    """They add the smoothing to half the areas, and divide by the absent classes too."""
    logits, target = scene(6)
    target[target < absent] = 255
    theirs = DiceLoss("multiclass", smooth=smooth / 2, ignore_index=255)(logits.double(), target) * 6 / (6 - absent)
    torch.testing.assert_close(Dice(classes=6, smooth=smooth)(logits, target), theirs.float())


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_of_two_classes_is_theirs_of_the_difference(gamma) -> None:
    logits, target = scene(2)
    theirs = FocalLoss("binary", gamma=gamma, ignore_index=255)(logits[:, 1] - logits[:, 0], target)
    torch.testing.assert_close(Focal(classes=2, gamma=gamma)(logits, target), theirs)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_of_many_classes_is_their_softmax_form(gamma) -> None:
    logits, target = scene(6)
    labelled = target != 255
    theirs = softmax_focal_loss_with_logits(logits.movedim(1, -1)[labelled], target[labelled], gamma=gamma)
    torch.testing.assert_close(Focal(classes=6, gamma=gamma)(logits, target), theirs)


@pytest.mark.parametrize("per_image", [False, True])
def test_lovasz_is_theirs(per_image) -> None:
    logits, target = scene(6)
    theirs = LovaszLoss("multiclass", per_image=per_image, ignore_index=255)(logits, target)
    torch.testing.assert_close(Lovasz(classes=6, per_image=per_image)(logits, target), theirs)
