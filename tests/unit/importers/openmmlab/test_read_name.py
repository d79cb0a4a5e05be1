"""Names of OpenMMLab's checkpoints: what they say, and that it is compared with what is assumed."""

import pytest
import torch
from helpers.openmmlab import config, meta_0x, network, openmmlab_state, section

from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError
from geoseg.importers.openmmlab.load_checkpoint import load_checkpoint
from geoseg.importers.openmmlab.read_config import ConfigSettings, settings_from_recipe
from geoseg.importers.openmmlab.read_name import read_name, require_agreement


@pytest.mark.parametrize(
    ("name", "stride", "grid", "crop", "dataset"),
    [
        ("deeplabv3_r50-d8_512x1024_40k_cityscapes_20200605_022449-acadc2f8.pth", 8, None, 512, "cityscapes"),
        ("deeplabv3plus_r101-d16-mg124_512x1024_80k_cityscapes-cf9ce186.pth", 16, (1, 2, 4), 512, "cityscapes"),
        ("deeplabv3plus_r50-d8_4xb4-80k_potsdam-512x512_20211219_031508-7e7a2b24.pth", 8, None, 512, "potsdam"),
        ("deeplabv3plus_r18-d8_4x4_896x896_80k_isaid_20220110_180526-7059991d.pth", 8, None, 896, "isaid"),
        ("deeplabv3_r18b-d8_769x769_80k_cityscapes.py", 8, None, 769, "cityscapes"),
        ("model-12345678.pth", None, None, None, ""),
        ("iter_80000.pth", None, None, None, ""),
        ("d8", 8, None, None, ""),
    ],
)
def test_published_names_are_read(name, stride, grid, crop, dataset) -> None:
    found = read_name(name)
    assert (found.output_stride, found.multi_grid, found.crop, found.dataset) == (stride, grid, crop, dataset)


@pytest.mark.parametrize(
    ("name", "settings", "option"),
    [
        ("a_r50-d16-mg124_x", ConfigSettings(), "model.output_stride: 16 and model.multi_grid: [1, 2, 4]"),
        ("a_r50-d16-mg124_x", ConfigSettings(output_stride=16), "model.multi_grid: [1, 2, 4]"),
        ("a_r50-d8_x", ConfigSettings(output_stride=16), "model.output_stride: 8"),
        ("a_r50-d16_x", ConfigSettings(output_stride=16, multi_grid=(1, 2, 4)), "model.multi_grid: null"),
        ("a_r50-d8_769x769_x", ConfigSettings(), "model.align_corners: true"),
        ("a_r50-d8_512x1024_x", ConfigSettings(align_corners=True), "model.align_corners: false"),
    ],
)
def test_settings_that_contradict_the_name_are_refused_with_the_option(name, settings, option) -> None:
    with pytest.raises(BundleError, match=name) as caught:
        require_agreement(settings, read_name(name))
    assert option in caught.value.hint
    assert "--recipe" in caught.value.hint


def test_options_of_the_hint_settle_the_contradiction() -> None:
    name = read_name("deeplabv3_r50-d16-mg124_512x1024_40k_cityscapes")
    require_agreement(settings_from_recipe(ModelSection(output_stride=16, multi_grid=(1, 2, 4))), name)


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return openmmlab_state(network(section()))


@pytest.mark.parametrize("meta", [{}, {"exp_name": "deeplabv3plus_r18-d16_512x512_80k_potsdam.py"}])
def test_both_the_file_and_the_run_are_evidence(state, tmp_path, meta) -> None:
    path = tmp_path / ("a.pth" if meta else "deeplabv3plus_r18-d16_512x512_80k_potsdam.pth")
    torch.save({"state_dict": state, "meta": meta}, path)
    with pytest.raises(BundleError, match="d16"):
        load_checkpoint(path)
    model = ModelSection(output_stride=16)
    assert load_checkpoint(path, model).model.output_stride == 16


def test_the_configuration_in_the_checkpoint_comes_before_the_name(state, tmp_path) -> None:
    path = tmp_path / "deeplabv3plus_r18-d16-mg124_512x512_80k_potsdam.pth"
    torch.save({"state_dict": state, "meta": meta_0x(config=config())}, path)
    assert load_checkpoint(path).settings.output_stride == 8
