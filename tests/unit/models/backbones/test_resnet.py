"""Tests of the dilated ResNets: dilations, stems, initialization, and timm as the oracle."""

import pytest
import timm
import torch
from torch import nn

from geoseg.errors import ConfigError
from geoseg.models.backbones.resnet import VARIANTS, DilatedResNet, block_dilations


def on_paper(variant: str, *, output_stride: int = 8, multi_grid=None, bands: int = 3) -> DilatedResNet:
    """A ResNet without memory."""
    with torch.device("meta"):
        return DilatedResNet(variant=variant, bands=bands, output_stride=output_stride, multi_grid=multi_grid)


def dilations(stage: nn.Sequential, conv: str) -> list[int]:
    return [getattr(block, conv).dilation[0] for block in stage]


def test_first_block_has_half_the_dilation() -> None:
    assert [block_dilations(3, dilation) for dilation in (1, 2, 4)] == [[1, 1, 1], [1, 2, 2], [2, 4, 4]]


def test_bottlenecks_dilate_the_3_x_3_convolution() -> None:
    net = on_paper("resnet50")
    assert [dilations(stage, "conv2") for stage in net.stages] == [
        [1, 1, 1],
        [1, 1, 1, 1],
        [1, 2, 2, 2, 2, 2],
        [2, 4, 4],
    ]
    assert {d for stage in net.stages for conv in ("conv1", "conv3") for d in dilations(stage, conv)} == {1}


def test_basic_blocks_dilate_the_first_convolution() -> None:
    net = on_paper("resnet18")
    assert [dilations(stage, "conv1") for stage in net.stages] == [[1, 1], [1, 1], [1, 2], [2, 4]]
    assert {d for stage in net.stages for d in dilations(stage, "conv2")} == {1}


def test_multi_grid_sets_absolute_dilations() -> None:
    net = on_paper("resnet101", output_stride=16, multi_grid=(1, 2, 4))
    assert dilations(net.layer4, "conv2") == [1, 2, 4]
    assert set(dilations(net.layer3, "conv2")) == {1}
    assert dilations(on_paper("resnet101b", output_stride=16).layer4, "conv2") == [1, 2, 2]


@pytest.mark.parametrize("multi_grid", [(1, 2), (), (0, 1, 2)])
def test_invalid_multi_grid_is_refused(multi_grid) -> None:
    with pytest.raises(ConfigError, match="does not fit resnet50") as error:
        on_paper("resnet50", multi_grid=multi_grid)
    assert "3 dilations" in error.value.hint


@pytest.mark.parametrize(
    ("ours", "theirs"), [("resnet50", "resnet50c"), ("resnet50b", "resnet50"), ("resnet101", "resnet101c")]
)
def test_parameter_names_equal_timm(ours, theirs) -> None:
    with torch.device("meta"):
        expected = timm.create_model(theirs, num_classes=0).state_dict()
    assert {k: v.shape for k, v in on_paper(ours).state_dict().items()} == {k: v.shape for k, v in expected.items()}


@pytest.mark.parametrize("output_stride", [8, 16])
def test_features_equal_timm_where_dilations_agree(output_stride) -> None:
    ours = DilatedResNet(variant="resnet50", bands=3, output_stride=output_stride).eval()
    theirs = timm.create_model("resnet50c", features_only=True, output_stride=output_stride).eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(1, 3, 33, 47)
    with torch.no_grad():
        for one, other in zip(ours(images), theirs(images)[1:], strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_variants_accept_any_number_of_bands(variant) -> None:
    net = on_paper(variant, bands=7)
    assert net(torch.zeros(1, 7, 9, 11, device="meta"))[-1].shape == (1, net.channels[-1], 2, 2)


def test_initialization_of_residual_branches_and_convolutions() -> None:
    net = DilatedResNet(variant="resnet18", bands=3, output_stride=8)
    assert all(not block.bn2.weight.any() for stage in net.stages for block in stage)
    conv = net.layer4[1].conv2
    assert conv.weight.std().item() == pytest.approx((2 / (9 * conv.out_channels)) ** 0.5, rel=0.02)


def test_zero_init_residual_can_be_disabled() -> None:
    net = DilatedResNet(variant="resnet18", bands=3, output_stride=8, zero_init_residual=False)
    assert all(block.bn2.weight.eq(1).all() for stage in net.stages for block in stage)
