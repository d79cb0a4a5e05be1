"""Tests of atrous spatial pyramid pooling: branches and their order."""

import pytest
import torch

from geoseg.models.aspp import ImagePooling, build_branches, concatenate_branches, default_dilations
from geoseg.models.layers import ConvModule, SeparableConvModule


@pytest.mark.parametrize(("stride", "dilations"), [(8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9))])
def test_dilations_cover_the_same_part_of_the_image(stride, dilations) -> None:
    assert default_dilations(stride) == dilations


@pytest.mark.parametrize(("separable", "kind"), [(False, ConvModule), (True, SeparableConvModule)])
def test_only_dilated_branches_are_separable(separable, kind) -> None:
    branches = build_branches(4, 6, dilations=(2, 3), separable=separable)
    assert [type(branch) for branch in branches] == [ConvModule, kind, kind]


def test_image_pooling_is_first_and_constant() -> None:
    branches = build_branches(4, 6, dilations=(2, 3), separable=False).eval()
    features = torch.randn(2, 4, 5, 7)
    with torch.no_grad():
        stacked = concatenate_branches(features, ImagePooling(4, 6).eval(), branches, align_corners=False)
        torch.testing.assert_close(stacked[:, 6:12], branches[0](features))
    assert stacked.shape == (2, 4 * 6, 5, 7)
    torch.testing.assert_close(stacked[:, :6], stacked[:, :6, :1, :1].expand(-1, -1, 5, 7))
