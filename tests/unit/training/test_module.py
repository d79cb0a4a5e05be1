"""A step: crops as they were cut to one loss."""

import pytest
import torch
from torch import nn

from geoseg.config.component import WeightedPart
from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.training.module import TrainingStep


class TwoHeads(nn.Module):
    """A network whose logits are its images, and whose auxiliary logits are their double."""

    def __init__(self, *, auxiliary: bool) -> None:
        super().__init__()
        self.auxiliary = auxiliary

    def logits_with_auxiliary(self, images):
        return images, 2 * images if self.auxiliary else None


@pytest.mark.parametrize("weight", [0.0, 0.4, None])
def test_the_auxiliary_loss_counts_with_its_weight(weight):
    criterion = build_loss([WeightedPart(name="cross_entropy")], classes=3)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    step = TrainingStep(
        TwoHeads(auxiliary=weight is not None), criterion, Scaling(mean, std), auxiliary_weight=weight or 0.0
    )
    image = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    target = torch.randint(0, 3, (2, 5, 7), dtype=torch.uint8)
    scaled = (image - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    expected = nn.functional.cross_entropy(scaled, target.long())
    expected = expected + (weight or 0) * nn.functional.cross_entropy(2 * scaled, target.long())
    assert torch.allclose(step(image, target, torch.ones(2, 5, 7, dtype=torch.bool)), expected)


def test_pixels_without_data_are_the_mean():
    step = TrainingStep(TwoHeads(auxiliary=False), nn.Identity(), Scaling((5.0,), (2.0,)), auxiliary_weight=0)
    scaled = step.normalised(torch.full((1, 1, 2, 2), 9), torch.tensor([[[True, False], [True, True]]]))
    assert scaled.flatten().tolist() == [2, 0, 2, 2]


def test_images_and_weights_lie_as_told():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    step = TrainingStep(net, nn.Identity(), Scaling((1.0,) * 3, (2.0,) * 3), auxiliary_weight=0)
    image, valid = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8), torch.ones(2, 5, 7, dtype=torch.bool)
    before = step.normalised(image, valid)
    step.lay_out(torch.channels_last)
    after = step.normalised(image, valid)
    assert torch.equal(before, after)
    assert not after.is_contiguous()
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in (after, net[0].weight))
