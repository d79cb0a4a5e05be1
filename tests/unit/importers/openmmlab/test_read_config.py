"""Tests of settings that weights do not determine: from a configuration, a recipe, or the defaults."""

import re

import pytest
from helpers.openmmlab import config, section

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.read_config import (
    ASSUMED,
    ConfigSettings,
    choose_settings,
    is_bgr,
    read_crop,
    read_normalization,
    read_settings,
)
from geoseg.importers.openmmlab.read_config import extract_section as section_of

OWN = "from the configuration in the checkpoint"
D16 = {"strides": "(1, 2, 2, 1)", "dilations": "(1, 1, 1, 2)"}


def test_defaults_of_mmsegmentation_are_assumed() -> None:
    assert choose_settings("", None) == ConfigSettings(8, None, False, None, ASSUMED)


def test_recipe_is_used_without_a_configuration() -> None:
    model = section(output_stride=16, multi_grid=(1, 2, 4), align_corners=True)
    assert choose_settings("", model) == ConfigSettings(16, (1, 2, 4), True, None, "from the recipe")
    assert choose_settings("optimizer = dict(type='SGD')", model).source == "from the recipe"


def test_configuration_takes_precedence_over_recipe() -> None:
    assert choose_settings(config(), section(output_stride=16)) == ConfigSettings(8, source=OWN)


def test_output_stride_and_multi_grid_are_read() -> None:
    text = config(**D16, backbone="multi_grid=(1, 2, 4)", branches="(1, 6, 12, 18)")
    assert read_settings(text) == ConfigSettings(16, (1, 2, 4), source=OWN)


def test_align_corners_of_the_decode_head_is_read() -> None:
    assert not read_settings(config(head="align_corners=False")).align_corners
    assert read_settings(config(head="align_corners=True")).align_corners


def test_unusual_dilations_are_read() -> None:
    assert read_settings(config(branches="(1, 6, 12, 18)")).dilations == (6, 12, 18)
    assert read_settings(config()).dilations is None


def test_missing_dilations_are_the_defaults() -> None:
    left_out = re.sub(r" dilations=\(1, 12, 24, 36\),", "", config())
    assert read_settings(left_out).dilations == (6, 12, 18)


def test_tuples_over_several_lines_and_json_are_read() -> None:
    tall = config(strides="(\n    1,\n    2,\n    2,\n    1,\n)", dilations="[1, 1, 1, 2]")
    assert read_settings(tall).output_stride == 16
    json = """{"model": {"backbone": {"strides": [1, 2, 1, 1], "dilations": [1, 1, 2, 4], "contract_dilation": true},
        "decode_head": {"align_corners": true, "dilations": [1, 12, 24, 36]}}}"""
    assert read_settings(json) == ConfigSettings(8, None, True, source=OWN)


@pytest.mark.parametrize(
    "text", ["model = dict(", "model = dict(backbone=dict(strides=(1, 2, 1, 1)))", "model = dict(backbone=0)", ")" * 9]
)
def test_incomplete_configuration_is_ignored(text) -> None:
    assert read_settings(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (config(strides="(1, 2, 2, 2)"), r"strides \(1, 2, 2, 2\)"),
        (config(dilations="(1, 1, 1, 1)"), r"dilations \(1, 1, 1, 1\)"),
        (config(backbone="style='caffe', contract_dilation=True"), "style 'caffe'"),
        (config(backbone="contract_dilation=False"), "without contract_dilation"),
        (config().replace("strides=(1, 2, 1, 1), ", ""), r"strides \(1, 2, 2, 2\)"),  # mmsegmentation's default
        (config(head="norm_cfg=dict(type='BN', eps=0.001)"), "a non-default eps"),
    ],
)
def test_unsupported_settings_are_refused(text, message) -> None:
    with pytest.raises(BundleError, match=message):
        read_settings(text)


def test_section_ends_at_its_closing_bracket() -> None:
    assert section_of("a = dict(b=dict(c=(1, [2])), d=3)", "b") == "c=(1, [2])"
    assert section_of("tta_model = dict(a=1)", "model") == ""


def test_normalization_is_read() -> None:
    text = "img_norm_cfg = dict(\n    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57], to_rgb=True)"
    assert read_normalization(text) == ((123.675, 116.28, 103.53), (58.395, 57.12, 57.0))
    assert read_normalization("mean=(-1, 2.5e2), std=[1e3, .5]") == ((-1, 250), (1000, 0.5))
    for odd in (
        "",
        "mean=[-], std=[1]",
        "mean=[1, 2], std=[1]",
        "mean=[1.0], std=[0]",
        "mean=[], std=[]",
        "mean=None, std=None",
    ):
        assert read_normalization(odd) is None


@pytest.mark.parametrize(("text", "expected"), [("to_rgb=True", False), ("'bgr_to_rgb': False", True), ("", False)])
def test_channel_order_is_read(text, expected) -> None:
    assert is_bgr(f"img_norm_cfg = dict(mean=[1, 2, 3], {text})") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("norm_cfg = 1\ncrop_size = (\n    769,\n    769,\n)\n", 769),
        ("crop_size = (512, 1024)", 512),
        ("crop_size = 896", None),
        ("model = dict(\n    test_cfg=dict(\n        crop_size=(64, 64)))", None),
        ("", None),
    ],
)
def test_training_crop_is_read(text, expected) -> None:
    assert read_crop(text) == expected


def test_eps_of_norms_only_is_checked() -> None:
    same = config(head="norm_cfg=dict(type='SyncBN', eps=1e-05), loss_decode=dict(type='DiceLoss', eps=0.1)")
    assert read_settings(same).source == OWN


def test_settings_as_text() -> None:
    assert str(ConfigSettings()) == "output stride 8, no multi-grid, align_corners False"
    assert str(ConfigSettings(16, (1, 2, 4), True, (6, 12))) == (
        "output stride 16, multi-grid 1, 2, 4, align_corners True, dilations 6, 12"
    )
