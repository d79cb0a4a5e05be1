"""What keys cannot tell is read from text, asked of a recipe, or assumed; and it is said which of these it was."""

import re

import pytest
from strategies_zoo import config, section

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.read_config import (
    ASSUMED,
    Settings,
    crop_in,
    find_settings,
    from_config,
    is_bgr,
    scaling_in,
)
from geoseg.importers.openmmlab.read_config import section as section_of

OWN = "from the checkpoint's own configuration"
D16 = {"strides": "(1, 2, 2, 1)", "dilations": "(1, 1, 1, 2)"}


def test_without_anything_the_zoos_usual_network_is_assumed() -> None:
    assert find_settings("", None) == Settings(8, None, False, None, ASSUMED)


def test_the_recipe_is_asked_when_the_checkpoint_says_nothing() -> None:
    model = section(output_stride=16, multi_grid=(1, 2, 4), align_corners=True)
    assert find_settings("", model) == Settings(16, (1, 2, 4), True, None, "from the recipe")
    assert find_settings("optimizer = dict(type='SGD')", model).source == "from the recipe"


def test_the_checkpoint_counts_more_than_the_recipe() -> None:
    assert find_settings(config(), section(output_stride=16)) == Settings(8, source=OWN)


def test_output_stride_and_multi_grid_are_read() -> None:
    text = config(**D16, backbone="multi_grid=(1, 2, 4)", branches="(1, 6, 12, 18)")
    assert from_config(text) == Settings(16, (1, 2, 4), source=OWN)


def test_align_corners_is_the_decode_heads_alone() -> None:
    assert not from_config(config(head="align_corners=False")).align_corners
    assert from_config(config(head="align_corners=True")).align_corners


def test_unusual_dilations_are_the_heads() -> None:
    assert from_config(config(branches="(1, 6, 12, 18)")).dilations == (6, 12, 18)
    assert from_config(config()).dilations is None


def test_dilations_that_are_left_out_are_mmsegmentations() -> None:
    left_out = re.sub(r" dilations=\(1, 12, 24, 36\),", "", config())
    assert from_config(left_out).dilations == (6, 12, 18)


def test_tuples_over_several_lines_and_json_are_read() -> None:
    tall = config(strides="(\n    1,\n    2,\n    2,\n    1,\n)", dilations="[1, 1, 1, 2]")
    assert from_config(tall).output_stride == 16
    json = """{"model": {"backbone": {"strides": [1, 2, 1, 1], "dilations": [1, 1, 2, 4], "contract_dilation": true},
        "decode_head": {"align_corners": true, "dilations": [1, 12, 24, 36]}}}"""
    assert from_config(json) == Settings(8, None, True, source=OWN)


@pytest.mark.parametrize(
    "text", ["model = dict(", "model = dict(backbone=dict(strides=(1, 2, 1, 1)))", "model = dict(backbone=0)", ")" * 9]
)
def test_a_text_that_says_too_little_says_nothing(text) -> None:
    assert from_config(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (config(strides="(1, 2, 2, 2)"), r"strides \(1, 2, 2, 2\)"),
        (config(dilations="(1, 1, 1, 1)"), r"dilations \(1, 1, 1, 1\)"),
        (config(backbone="style='caffe', contract_dilation=True"), "style 'caffe'"),
        (config(backbone="contract_dilation=False"), "no contract_dilation"),
        (config().replace("strides=(1, 2, 1, 1), ", ""), r"strides \(1, 2, 2, 2\)"),  # mmsegmentation's default
        (config(head="norm_cfg=dict(type='BN', eps=0.001)"), "an eps of their own"),
    ],
)
def test_rules_that_geoseg_does_not_build_are_refused(text, message) -> None:
    with pytest.raises(BundleError, match=message):
        from_config(text)


def test_sections_end_where_their_bracket_closes() -> None:
    assert section_of("a = dict(b=dict(c=(1, [2])), d=3)", "b") == "c=(1, [2])"
    assert section_of("tta_model = dict(a=1)", "model") == ""


def test_scaling_is_read_where_it_stands() -> None:
    text = "img_norm_cfg = dict(\n    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57], to_rgb=True)"
    assert scaling_in(text) == ((123.675, 116.28, 103.53), (58.395, 57.12, 57.0))
    assert scaling_in("mean=(-1, 2.5e2), std=[1e3, .5]") == ((-1, 250), (1000, 0.5))
    for odd in (
        "",
        "mean=[-], std=[1]",
        "mean=[1, 2], std=[1]",
        "mean=[1.0], std=[0]",
        "mean=[], std=[]",
        "mean=None, std=None",
    ):
        assert scaling_in(odd) is None


@pytest.mark.parametrize(("text", "expected"), [("to_rgb=True", False), ("'bgr_to_rgb': False", True), ("", False)])
def test_the_order_of_colours_is_read(text, expected) -> None:
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
def test_the_crop_of_training_is_read_and_not_that_of_testing(text, expected) -> None:
    assert crop_in(text) == expected


def test_an_eps_is_the_norms_or_no_matter() -> None:
    same = config(head="norm_cfg=dict(type='SyncBN', eps=1e-05), loss_decode=dict(type='DiceLoss', eps=0.1)")
    assert from_config(same).source == OWN


def test_settings_are_said_in_words() -> None:
    assert str(Settings()) == "output stride 8, no multi-grid, align_corners False"
    assert str(Settings(16, (1, 2, 4), True, (6, 12))) == (
        "output stride 16, multi-grid 1, 2, 4, align_corners True, dilations 6, 12"
    )
