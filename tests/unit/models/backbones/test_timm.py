"""Tests of timm backbones: features, padding, and unsupported models."""

import logging
from pathlib import Path

import pytest
import timm
import torch

from geoseg.errors import ConfigError
from geoseg.models.backbones.timm import TimmBackbone


def backbone(variant: str, *, bands: int = 3, output_stride: int = 8, **options) -> TimmBackbone:
    return TimmBackbone(variant=variant, bands=bands, output_stride=output_stride, **options)


def test_images_of_whole_strides_give_timms_features() -> None:
    ours = backbone("convnext_atto").eval()
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        for one, other in zip(ours(images), ours.features(images), strict=True):
            assert torch.equal(one, other)


def test_maps_finer_than_stride_4_are_left_away() -> None:
    assert backbone("mobilenetv3_small_050").strides == (4, 8, 8, 8)


def test_channels_come_second_whatever_timm_does() -> None:
    net = backbone("mambaout_femto").eval()
    with torch.no_grad():
        shapes = [tuple(each.shape) for each in net(torch.randn(1, 3, 64, 32))]
    assert shapes == [(1, 48, 16, 8), (1, 96, 8, 4), (1, 192, 4, 2), (1, 288, 2, 1)]


def test_a_model_that_cannot_be_dilated_keeps_its_stride_and_says_so(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        net = backbone("edgenext_xx_small")
    assert net.strides[-1] == 32
    assert "edgenext_xx_small cannot be dilated; its output stride is 32" in caplog.text


@pytest.mark.parametrize(
    ("variant", "multiple"),
    [
        ("convnext_atto", 8),  # the output stride
        ("mobilevitv2_050", 16),  # pairs of features
        ("swin_tiny_patch4_window7_224", 32),
        ("maxvit_pico_rw_256", 256),  # whole windows in every stage
    ],
)
def test_images_are_padded_no_further_than_a_model_needs(variant, multiple) -> None:
    assert backbone(variant).multiple == multiple


@pytest.mark.parametrize("variant", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_windows_of_a_swin_transformer_shift_in_every_stage(variant) -> None:
    shifts = [
        [max(block.shift_size) > 0 for block in module.blocks]
        for module in backbone(variant).modules()
        if hasattr(module, "blocks")
    ]
    assert shifts == [[False, True], [False, True], [False, True] * 3, [False, True]]


def test_swin_features_equal_timm_at_the_default_size() -> None:
    """But for the last stage, whose single window does not shift there."""
    ours = backbone("swin_tiny_patch4_window7_224").eval()
    theirs = timm.create_model("swin_tiny_patch4_window7_224", features_only=True).eval()
    theirs.load_state_dict(ours.features.state_dict())
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        for one, other in list(zip(ours(images), theirs(images), strict=True))[:3]:
            torch.testing.assert_close(one, other.permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("variant", "why"),
    [
        ("vit_tiny_patch16_224", "does not accept images of any size"),
        ("inception_v3", "crops their borders"),
        ("pit_ti_224", "does not accept images of any size"),
        ("mvitv2_tiny", "does not accept images of any size"),  # accepts small ones
    ],
)
def test_unsuitable_models_are_refused(variant, why) -> None:
    with pytest.raises(ConfigError, match=f"{variant} cannot be used as a backbone: .*{why}"):
        backbone(variant)


@pytest.mark.parametrize("pretrained", [False, True])
def test_models_without_features_are_refused(monkeypatch, pretrained) -> None:
    def create(name: str, **_):
        raise RuntimeError(f"features_only not implemented for {name}")

    monkeypatch.setattr(timm, "create_model", create)
    with pytest.raises(ConfigError, match="resnet10t cannot be used as a backbone: features_only not implemented"):
        backbone("resnet10t", pretrained=pretrained)


def test_multi_grid_is_for_dilated_resnets_only() -> None:
    with pytest.raises(ConfigError, match="does not support multi_grid"):
        backbone("resnet10t", multi_grid=(1, 2, 4))


def test_timm_file_is_loaded_and_adapted_to_the_bands(tmp_path: Path) -> None:
    source = timm.create_model("convnext_atto")
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    stem = backbone("convnext_atto", bands=6, pretrained=tmp_path / "weights.pth").features.stem_0
    weight = source.stem[0].weight
    torch.testing.assert_close(stem.weight, torch.cat([weight, weight], dim=1) / 2)


def test_file_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match="the pretrained weights lack"):
        backbone("convnext_atto", pretrained=tmp_path / "weights.pth")


def test_failed_download_is_an_error_with_a_hint(monkeypatch) -> None:
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", _no_network)
    with pytest.raises(ConfigError, match="cannot download the pretrained weights of resnet10t") as error:
        backbone("resnet10t", pretrained=True)
    assert "pretrained: false" in error.value.hint


def _no_network(*_, **__):
    raise ConnectionError
