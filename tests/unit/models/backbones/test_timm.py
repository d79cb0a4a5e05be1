"""timm's models made alike, or refused with a reason."""

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
    ("variant", "why"),
    [
        ("vit_tiny_patch16_224", "does not take images of every size"),
        ("inception_v3", "loses their borders"),
        ("pit_ti_224", "does not take images of every size"),
    ],
)
def test_models_that_do_not_suit_are_refused(variant, why) -> None:
    with pytest.raises(ConfigError, match=f"{variant} cannot be a backbone: .*{why}"):
        backbone(variant)


def test_models_without_features_are_refused(monkeypatch) -> None:
    def create(name: str, **_):
        raise RuntimeError(f"features_only not implemented for {name}")

    monkeypatch.setattr(timm, "create_model", create)
    with pytest.raises(ConfigError, match="resnet10t cannot be a backbone: features_only not implemented"):
        backbone("resnet10t")


def test_multi_grid_is_for_the_zoos_resnets() -> None:
    with pytest.raises(ConfigError, match="knows no multi_grid"):
        backbone("resnet10t", multi_grid=(1, 2, 4))


def test_a_file_of_timms_is_loaded_and_fitted_to_the_bands(tmp_path: Path) -> None:
    source = timm.create_model("convnext_atto")
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    stem = backbone("convnext_atto", bands=6, pretrained=tmp_path / "weights.pth").features.stem_0
    weight = source.stem[0].weight
    torch.testing.assert_close(stem.weight, torch.cat([weight, weight], dim=1) / 2)


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match="the pretrained weights lack"):
        backbone("convnext_atto", pretrained=tmp_path / "weights.pth")


def test_without_network_pretrained_weights_are_refused_with_a_hint(monkeypatch) -> None:
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", _no_network)
    with pytest.raises(ConfigError, match="the pretrained weights of resnet10t could not be fetched") as error:
        backbone("resnet10t", pretrained=True)
    assert "pretrained: false" in error.value.hint


def _no_network(*_, **__):
    raise ConnectionError
