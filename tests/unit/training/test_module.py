"""Tests of the training module: normalization, main and auxiliary loss, memory format."""

import pytest
import torch
from torch import nn

from geoseg.config.component import WeightedComponent
from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.training.module import TrainingModule


class TwoHeads(nn.Module):
    """A network whose logits are its images, and whose auxiliary logits are their double."""

    def __init__(self, *, auxiliary: bool) -> None:
        super().__init__()
        self.auxiliary = auxiliary

    def logits_with_auxiliary(self, images):
        return images, 2 * images if self.auxiliary else None


@pytest.mark.parametrize("weight", [0.0, 0.4, None])
def test_auxiliary_loss_is_weighted(weight):
    criterion = build_loss([WeightedComponent(name="cross_entropy")], classes=3)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    step = TrainingModule(
        TwoHeads(auxiliary=weight is not None), criterion, Scaling(mean, std), auxiliary_weight=weight or 0.0
    )
    image = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    target = torch.randint(0, 3, (2, 5, 7), dtype=torch.uint8)
    scaled = (image - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    expected = nn.functional.cross_entropy(scaled, target.long())
    expected = expected + (weight or 0) * nn.functional.cross_entropy(2 * scaled, target.long())
    assert torch.allclose(step(image, target, torch.ones(2, 5, 7, dtype=torch.bool)), expected)


def test_nodata_pixels_are_normalized_to_zero():
    step = TrainingModule(TwoHeads(auxiliary=False), nn.Identity(), Scaling((5.0,), (2.0,)), auxiliary_weight=0)
    scaled = step.normalize(torch.full((1, 1, 2, 2), 9), torch.tensor([[[True, False], [True, True]]]))
    assert scaled.flatten().tolist() == [2, 0, 2, 2]


def test_memory_format_applies_to_images_and_weights():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    step = TrainingModule(net, nn.Identity(), Scaling((1.0,) * 3, (2.0,) * 3), auxiliary_weight=0)
    image, valid = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8), torch.ones(2, 5, 7, dtype=torch.bool)
    before = step.normalize(image, valid)
    step.set_memory_format(torch.channels_last)
    after = step.normalize(image, valid)
    assert torch.equal(before, after)
    assert not after.is_contiguous()
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in (after, net[0].weight))
