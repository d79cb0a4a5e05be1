"""Tests of the layers of heads."""

import pytest
import torch

from geoseg.models.layers import ConvModule, SeparableConvModule, build_classifier, resize


@pytest.mark.parametrize(
    "block", [ConvModule(4, 6, 1), ConvModule(4, 6, 3, dilation=5), SeparableConvModule(4, 6, dilation=2)]
)
def test_blocks_keep_height_and_width_and_are_nonnegative(block) -> None:
    features = block(torch.randn(2, 4, 5, 7))
    assert features.shape == (2, 6, 5, 7)
    assert features.min() == 0


def test_separable_block_has_a_relu_after_both_convolutions() -> None:
    block = SeparableConvModule(3, 3)
    seen = []
    block.pointwise_conv.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    block(torch.randn(2, 3, 8, 8))
    assert seen[0].min() == 0


def test_convolutions_have_he_initialization() -> None:
    plain, depthwise = ConvModule(64, 256, 3), SeparableConvModule(512, 1).depthwise_conv
    assert plain.conv.weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert depthwise.conv.weight.std().item() == pytest.approx((2 / (9 * 512)) ** 0.5, rel=0.05)


def test_initial_classifier_is_near_uniform() -> None:
    conv = build_classifier(400, 50)
    assert conv.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not conv.bias.any()


def test_resizing_to_the_same_size_is_the_identity() -> None:
    features = torch.randn(1, 2, 5, 7)
    assert torch.equal(resize(features, features, align_corners=False), features)


def test_aligned_corners_keep_their_values() -> None:
    features = torch.randn(1, 1, 3, 3)
    enlarged = resize(features, torch.empty(1, 1, 7, 9), align_corners=True)
    torch.testing.assert_close(enlarged[..., ::6, ::8], features[..., ::2, ::2])
