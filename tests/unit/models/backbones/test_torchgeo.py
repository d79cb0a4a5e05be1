"""Tests of torchgeo backbones: names, bands, files and normalization, with enums of torchgeo and files written here."""

import sys

import pytest
import timm
import torch
import torchvision.transforms.v2 as T
from helpers.models import card
from torch import nn

from geoseg.bundle import Bundle, load
from geoseg.config.component_spec import Component
from geoseg.config.load import parse_recipe, to_yaml
from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.backbones.resnet import DilatedResNet
from geoseg.models.backbones.torchgeo import (
    NETWORK_BY_WEIGHTS,
    TorchgeoResNet,
    compose_normalization,
    find_weights,
    list_weights,
)
from geoseg.models.build import build_backbone, build_network

ALL = "ResNet18_Weights.SENTINEL2_ALL_MOCO"
RGB = "ResNet18_Weights.SENTINEL2_RGB_MOCO"
BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")


def section(weights: str = ALL, **changes) -> ModelSection:
    small = {"head": Component(name="fcn", options={"channels": 8}), "output_stride": 16}
    return ModelSection(**small | {"backbone": Component(name="torchgeo", options={"weights": weights})} | changes)


@pytest.fixture(scope="module")
def published():
    """What torchgeo would send: timm's own ResNet-18 for 13 bands, its classifier left away."""
    net = timm.create_model("resnet18", in_chans=13, num_classes=0)
    return {
        key: value + torch.rand_like(value) / 99 if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }


@pytest.fixture
def file(published, tmp_path):
    torch.save(published, tmp_path / "downloaded.pth")
    return tmp_path / "downloaded.pth"


@pytest.fixture
def online(published, monkeypatch):
    """torch.hub as if the network were there; the addresses asked for."""
    asked = []

    def answer(url, **options):
        assert options["weights_only"]
        asked.append(url)
        return published

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", answer)
    return asked


def equal(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_weights_are_downloaded_once_from_the_torchgeo_address(published, online) -> None:
    net = build_backbone(section(), bands=13)
    assert equal(net.state_dict(), published)
    assert online == [find_weights(ALL).url]


def test_downloaded_file_is_read_instead(published, file, online) -> None:
    assert equal(build_backbone(section(pretrained=file), bands=13).state_dict(), published)
    assert not online


def test_network_is_the_dilated_resnet_with_a_plain_stem(file) -> None:
    ours = build_backbone(section(pretrained=file, output_stride=8), bands=13).eval()
    plain = DilatedResNet(variant="resnet18b", bands=13, output_stride=8).eval()
    plain.load_state_dict(ours.state_dict())
    images = torch.randn(1, 13, 33, 47)
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(ours(images), plain(images), strict=True))


def test_depth_of_every_enum() -> None:
    entries = list_weights()
    assert {name.partition(".")[0] for name in entries} == NETWORK_BY_WEIGHTS.keys()
    with torch.device("meta"):
        blocks = [
            len(TorchgeoResNet(weights=f"{family}.ANY", variant="torchgeo", bands=4, output_stride=8).layer3)
            for family in NETWORK_BY_WEIGHTS
        ]
    assert blocks == [2, 6, 36]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ResNet18_Weights.SENTINEL2_ALL_MOCOO", f"did you mean {ALL}?"),
        ("resnet18_weights.SENTINEL2_ALL_MOCO", f"did you mean {ALL}?"),
        ("nonsense", "ResNet50_Weights.SENTINEL1_ALL_MOCO"),
    ],
)
def test_unknown_weights_suggest_the_closest_name(name, hint, online) -> None:
    with pytest.raises(ConfigError, match=f"torchgeo has no ResNet weights '{name}'") as error:
        build_backbone(section(name), bands=13)
    assert hint in error.value.hint
    assert not online


def test_other_number_of_bands_is_refused_before_the_download(online) -> None:
    with pytest.raises(ConfigError, match=f"{ALL} expects 13 bands, but the data has 4") as error:
        build_backbone(section(), bands=4)
    assert "data.bands to the bands in the order B1, B2, B3" in error.value.hint
    assert not online


def test_hint_of_a_failed_download_has_the_address(monkeypatch) -> None:
    def offline(*_, **__):
        raise ConnectionError

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(ConfigError, match=f"cannot download the weights {ALL}") as error:
        build_backbone(section(), bands=13)
    assert error.value.hint == f"download {find_weights(ALL).url} and set model.pretrained to the path of the file"


def test_classifier_and_missing_batch_counts_are_accepted(published, tmp_path) -> None:
    state = {key: value for key, value in published.items() if not key.endswith("num_batches_tracked")}
    torch.save(state | {"fc.weight": torch.zeros(9, 512), "fc.bias": torch.zeros(9)}, tmp_path / "w.pth")
    net = build_backbone(section(pretrained=tmp_path / "w.pth"), bands=13)
    assert torch.equal(net.conv1.weight, published["conv1.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {k: v for k, v in s.items() if not k.startswith("layer4.1.conv")},
            "lack layer4.1.conv1.weight and 1 more",
        ),
        (lambda s: s | {"conv1.weight": s["conv1.weight"][:, :3]}, "have a different shape for conv1.weight"),
        (lambda s: s | {"layer1.2.conv1.weight": torch.zeros(1)}, "have unexpected tensors: layer1.2.conv1.weight"),
        (lambda s: {f"encoder.{k}": v for k, v in s.items()}, "lack conv1.weight"),
    ],
    ids=["parts missing", "three bands", "deeper", "other names"],
)
def test_files_of_other_networks_are_refused(published, tmp_path, change, message) -> None:
    torch.save(change(published), tmp_path / "w.pth")
    with pytest.raises(ConfigError, match=f"the pretrained weights {message}"):
        build_backbone(section(pretrained=tmp_path / "w.pth"), bands=13)


def test_normalization_divides_reflectance_by_ten_thousand(online) -> None:
    assert build_backbone(section(), bands=13).scaling(BANDS) == ((0.0,) * 13, (10000.0,) * 13)


def test_bands_in_another_order_are_refused_and_other_names_accepted(online, monkeypatch) -> None:
    net = build_backbone(section(), bands=13)
    with pytest.raises(ConfigError, match="B02 is band 1 of the data, but not of") as error:
        net.scaling(("B02", "B01", *BANDS[2:]))
    assert "in the order B1, B2" in error.value.hint
    assert net.scaling([f"band_{i}" for i in range(13)]) is not None


def test_normalization_is_none_without_weights() -> None:
    assert build_backbone(section(pretrained=False), bands=13).scaling(BANDS) is None


def test_normalization_equals_the_transforms() -> None:
    """With torchgeo's own transforms as the oracle, on pixels that cropping and resizing leave as they are."""
    for name, entry in list_weights().items():
        bands = entry.meta["in_chans"]
        pixels = torch.linspace(1, 4000, bands)[:, None, None].expand(-1, 256, 256)
        expected = entry.transforms(pixels.clone())[:, 0, 0]
        got = compose_normalization(entry.transforms, bands)
        mean, std = got or (0.0, 1.0)
        scaled = (pixels[:, 0, 0] - torch.tensor(mean)) / torch.tensor(std)
        torch.testing.assert_close(scaled, expected, msg=lambda text, name=name: f"{name}: {text}")
        assert (got is None) == name.endswith(("GRD_CLOSP", "GRD_GEOCLOSP"))


def test_number_of_band_names_equals_number_of_bands() -> None:
    for entry in list_weights().values():
        assert len(entry.meta.get("bands", "rgb")) == entry.meta["in_chans"]


def test_consecutive_normalizations_are_combined() -> None:
    steps = nn.Sequential(T.Normalize([3.0], [2.0]), T.CenterCrop(4), T.Normalize([1.0, 0.0], [0.5, 4.0]))
    assert compose_normalization(steps, 2) == ((5.0, 3.0), (1.0, 8.0))
    assert compose_normalization(nn.Identity(), 2) is None


def test_loading_a_bundle_does_not_load_pretrained_weights(file, tmp_path, monkeypatch) -> None:
    model = section(pretrained=file)
    names = tuple(f"band_{i}" for i in range(13))
    per_band = dict.fromkeys(("mean", "std", "minimum", "maximum"), (1.0,) * 13)
    made = Bundle(build_network(model, bands=13, classes=3), card(model=model, bands=names, **per_band))
    path = made.save(tmp_path / "model.safetensors")
    file.unlink()
    monkeypatch.setitem(sys.modules, "torchgeo", None)  # importing it would be an error
    assert equal(load(path).network.state_dict(), made.network.state_dict())


@pytest.mark.parametrize(
    ("said", "meant"), [({}, True), ({"pretrained": False}, False), ({"pretrained": "w.pth"}, "w.pth")]
)
def test_named_weights_are_loaded_by_default(said, meant) -> None:
    model = {"backbone": {"name": "torchgeo", "weights": ALL}} | said
    recipe = parse_recipe({"data": {}, "model": model})
    assert str(recipe.model.pretrained) == str(meant)
    assert ModelSection.model_validate(recipe.model.model_dump(mode="json")) == recipe.model
    assert f"weights: {ALL}" in to_yaml(recipe)


def test_option_weights_is_required() -> None:
    with pytest.raises(ConfigError, match="the backbone torchgeo needs the option 'weights'"):
        build_backbone(ModelSection(backbone=Component(name="torchgeo")), bands=13)
