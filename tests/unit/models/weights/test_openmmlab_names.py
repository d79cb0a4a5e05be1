"""Tests of translating parameter names between OpenMMLab and geoseg."""

import pytest

from geoseg.models.weights.openmmlab_names import to_geoseg_names, to_openmmlab_name


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.stem.0.weight", "backbone.conv1.0.weight"),
        ("backbone.stem.4.running_mean", "backbone.conv1.4.running_mean"),
        ("backbone.stem.7.bias", "backbone.bn1.bias"),
        ("stem.6.weight", "conv1.6.weight"),
        ("stem.7.weight", "bn1.weight"),
        ("backbone.conv1.weight", "backbone.conv1.weight"),
        ("backbone.layer4.1.bn2.weight", "backbone.layer4.1.bn2.weight"),
        ("decode_head.aspp_modules.1.depthwise_conv.bn.bias", "head.aspp_modules.1.depthwise_conv.bn.bias"),
        ("auxiliary_head.convs.0.conv.weight", "auxiliary.convs.0.conv.weight"),
        ("module.decode_head.conv_seg.bias", "head.conv_seg.bias"),
        ("module.backbone.stem.7.weight", "backbone.bn1.weight"),
    ],
)
def test_openmmlab_names_are_translated_and_geoseg_names_unchanged(theirs, ours) -> None:
    assert to_geoseg_names({theirs: 1}) == {ours: 1}
    assert to_geoseg_names({ours: 1}) == {ours: 1}


def test_values_and_order_are_unchanged() -> None:
    state = {"decode_head.b": "one", "backbone.a": "two"}
    assert list(to_geoseg_names(state).items()) == [("head.b", "one"), ("backbone.a", "two")]


@pytest.mark.parametrize(
    ("ours", "theirs", "deep_stem"),
    [
        ("backbone.conv1.3.weight", "backbone.stem.3.weight", True),
        ("backbone.bn1.bias", "backbone.stem.7.bias", True),
        ("backbone.bn1.bias", "backbone.bn1.bias", False),
        ("backbone.conv1.weight", "backbone.conv1.weight", False),
        ("backbone.layer1.0.bn1.bias", "backbone.layer1.0.bn1.bias", True),
        ("head.bottleneck.bn.bias", "decode_head.bottleneck.bn.bias", True),
        ("auxiliary.conv_seg.bias", "auxiliary_head.conv_seg.bias", False),
    ],
)
def test_names_are_translated_back(ours, theirs, deep_stem) -> None:
    assert to_openmmlab_name(ours, deep_stem=deep_stem) == theirs
    assert to_geoseg_names({theirs: 1}) == {ours: 1}
