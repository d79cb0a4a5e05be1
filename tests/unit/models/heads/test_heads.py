"""Tests of heads: default widths and dilations, options, errors."""

import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.models.heads import heads

GIVEN = {
    "resnet18": {"in_channels": (64, 128, 256, 512), "strides": (4, 8, 8, 8)},
    "resnet50": {"in_channels": (256, 512, 1024, 2048), "strides": (4, 8, 16, 16)},
}


def head(name: str = "deeplabv3plus", backbone: str = "resnet18", **options):
    with torch.device("meta"):
        return heads.build(name, options, **GIVEN[backbone], classes=6, align_corners=False)


@pytest.mark.parametrize(
    ("backbone", "channels", "low", "dilations"),
    [("resnet18", 128, 12, [12, 24, 36]), ("resnet50", 512, 48, [6, 12, 18])],
)
def test_widths_and_dilations_equal_openmmlab(backbone, channels, low, dilations) -> None:
    plus = head(backbone=backbone)
    assert plus.bottleneck.conv.weight.shape == (channels, 5 * channels, 3, 3)
    assert plus.c1_bottleneck.conv.out_channels == low
    assert plus.sep_bottleneck[0].depthwise_conv.conv.in_channels == channels + low
    assert [branch.depthwise_conv.conv.dilation[0] for branch in plus.aspp_modules[1:]] == dilations


def test_options_override_widths_and_dilations() -> None:
    plus = head(channels=16, low_level_channels=4, dilations=[1, 2], dropout="0.3")
    assert plus.bottleneck.conv.weight.shape == (16, 4 * 16, 3, 3)
    assert plus.c1_bottleneck.conv.out_channels == 4
    assert plus.dropout.p == 0.3


@pytest.mark.parametrize("name", ["deeplabv3", "deeplabv3plus"])
@pytest.mark.parametrize(
    ("option", "value"), [("channels", 0), ("dilations", [0, 2]), ("dropout", 1), ("channels", "wide")]
)
def test_invalid_options_are_refused(name, option, value) -> None:
    with pytest.raises(ConfigError, match=f"head {name}: {option}"):
        head(name, **{option: value})


@pytest.mark.parametrize("feature", [4, -5])
def test_fcn_head_refuses_missing_features(feature) -> None:
    with pytest.raises(ConfigError, match=f"cannot use feature {feature}"):
        head("fcn", feature=feature)


def test_fcn_head_has_a_quarter_of_the_channels() -> None:
    assert head("fcn", feature=-2).convs[0].conv.weight.shape == (64, 256, 3, 3)
