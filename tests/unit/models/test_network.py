"""Tests of the segmentation network, with parts that are small enough to compute by hand."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from geoseg.models.backbones.base import Backbone
from geoseg.models.heads.base import Head
from geoseg.models.network import SegmentationNetwork


class Halves(Backbone):
    """Every second pixel, and every fourth."""

    channels = (3, 3)
    strides = (2, 4)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images[..., ::2, ::2], images[..., ::4, ::4]]


class Takes(Head):
    """The first two channels of one feature map, as logits."""

    def __init__(self, feature: int) -> None:
        super().__init__()
        self.feature = feature

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        return features[self.feature][:, :2]


@pytest.mark.parametrize("align_corners", [False, True])
def test_logits_of_both_heads_have_the_size_of_the_image(align_corners) -> None:
    images = torch.randn(2, 3, 9, 13)
    network = SegmentationNetwork(Halves(), Takes(1), Takes(0), align_corners=align_corners)
    logits, auxiliary = network.logits_with_auxiliary(images)
    assert logits.shape == auxiliary.shape == (2, 2, 9, 13)
    assert torch.equal(network(images), logits)


def test_aligned_corners_are_unchanged() -> None:
    images = torch.randn(1, 3, 9, 13)
    network = SegmentationNetwork(Halves(), Takes(0), align_corners=True)
    torch.testing.assert_close(network(images)[..., ::2, ::2], images[:, :2, ::2, ::2])


def test_auxiliary_logits_require_an_auxiliary_head() -> None:
    assert SegmentationNetwork(Halves(), Takes(0)).logits_with_auxiliary(torch.randn(1, 3, 4, 4))[1] is None


def test_auxiliary_head_is_not_evaluated_in_prediction() -> None:
    network = SegmentationNetwork(Halves(), Takes(0), Takes(1))
    network.auxiliary.register_forward_hook(lambda *_: pytest.fail("it was evaluated"))
    network(torch.randn(1, 3, 4, 4))


def test_smallest_batch_is_that_of_the_head() -> None:
    assert SegmentationNetwork(Halves(), Takes(0)).smallest_batch == 1
