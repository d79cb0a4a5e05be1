"""Tests of pretrained weights: file formats, numbers of bands, errors."""

import io
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.backbones.resnet import DilatedResNet
from geoseg.models.build import build_backbone
from geoseg.models.weights.pretrained import read_weights


def with_openmmlab_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A deep-stemmed backbone's state as OpenMMLab names it."""
    renamed = {}
    for key, value in state.items():
        head, _, tail = key.partition(".")
        renamed[{"conv1": f"stem.{tail}", "bn1": f"stem.7.{tail}"}.get(head, key)] = value
    return renamed


@pytest.fixture(scope="module")
def source() -> DilatedResNet:
    return DilatedResNet(variant="resnet18", bands=3, output_stride=8).requires_grad_(False)


def loaded(path: Path, *, bands: int = 3, name: str = "resnet18") -> dict[str, Tensor]:
    section = ModelSection(backbone=Component(name=name), pretrained=path)
    return build_backbone(section, bands=bands).state_dict()


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    "written",
    [
        lambda state: state,
        with_openmmlab_names,
        lambda state: {"state_dict": with_openmmlab_names(state), "meta": {"epoch": 1}},
        lambda state: {"state_dict": {f"module.backbone.{k}": v for k, v in with_openmmlab_names(state).items()}},
        lambda state: {**with_openmmlab_names(state), "fc.weight": torch.zeros(3, 512), "fc.bias": torch.zeros(3)},
        lambda state: {f"backbone.{k}": v for k, v in state.items()} | {"decode_head.conv_seg.bias": torch.zeros(2)},
    ],
    ids=["timm", "openmmlab", "checkpoint", "parallel network", "classifier", "network"],
)
def test_file_formats_hold_the_same_backbone(source, tmp_path, written) -> None:
    torch.save(written(source.state_dict()), tmp_path / "weights.pth")
    assert equal(loaded(tmp_path / "weights.pth"), source.state_dict())


def test_safetensors_are_read(source, tmp_path) -> None:
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    assert equal(loaded(tmp_path / "weights.safetensors"), source.state_dict())


@pytest.mark.parametrize("bands", [2, 4, 6, 13])
def test_weights_are_repeated_over_bands_and_keep_the_scale(source, tmp_path, bands) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    weight = loaded(tmp_path / "weights.pth", bands=bands)["conv1.0.weight"]
    rgb = source.state_dict()["conv1.0.weight"]
    for band in range(bands):
        torch.testing.assert_close(weight[:, band], rgb[:, band % 3] * 3 / bands)


def test_gray_image_has_equal_features_with_three_or_six_bands(source, tmp_path) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    grey = torch.randn(1, 1, 9, 9)
    few, many = (loaded(tmp_path / "weights.pth", bands=bands)["conv1.0.weight"] for bands in (3, 6))
    seen = [torch.conv2d(grey.expand(-1, weight.shape[1], -1, -1), weight) for weight in (few, many)]
    torch.testing.assert_close(*seen)


def test_weights_of_one_band_are_the_sum_of_red_green_and_blue(source, tmp_path) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    weight = loaded(tmp_path / "weights.pth", bands=1)["conv1.0.weight"]
    torch.testing.assert_close(weight, source.state_dict()["conv1.0.weight"].sum(dim=1, keepdim=True))


def test_weights_of_other_backbones_are_refused(source, tmp_path) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    for name, message in [
        ("resnet18b", "lack conv1.weight"),
        ("resnet34", r"lack layer1.2.conv1.weight and \d+ more"),
        ("resnet50", "lack layer1.0.conv3.weight"),
    ]:
        with pytest.raises(ConfigError, match=f"the pretrained weights {message}"):
            loaded(tmp_path / "weights.pth", name=name)


def test_weights_of_a_deeper_network_are_refused(tmp_path) -> None:
    """They hold everything a shallower network has, and more."""
    torch.save(DilatedResNet(variant="resnet34", bands=3, output_stride=8).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match=r"have unexpected tensors: layer1\.2"):
        loaded(tmp_path / "weights.pth")


def test_weights_of_four_bands_do_not_fit_five(tmp_path) -> None:
    torch.save(DilatedResNet(variant="resnet18", bands=4, output_stride=8).state_dict(), tmp_path / "weights.pth")
    assert loaded(tmp_path / "weights.pth", bands=4)["conv1.0.weight"].shape[1] == 4
    with pytest.raises(ConfigError, match=r"a different shape for conv1\.0\.weight"):
        loaded(tmp_path / "weights.pth", bands=5)


class Harmful:
    """What pickle would run."""

    def __reduce__(self):
        return (Path.touch, (Path("harm"),))


@pytest.mark.parametrize("content", [Harmful(), {"state_dict": Harmful()}, [1, 2], {"state_dict": 3}])
def test_files_without_weights_are_refused_without_running_code(tmp_path, monkeypatch, content) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, "weights.pth")
    with pytest.raises(ConfigError, match=r"weights\.pth cannot be read as weights"):
        loaded(Path("weights.pth"))
    assert not Path("harm").exists()


@given(data=st.data())
def test_truncated_file_is_refused(tmp_path_factory, data) -> None:
    path = tmp_path_factory.getbasetemp() / "weights.pth"
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.ones(3)}, buffer, _use_new_zipfile_serialization=data.draw(st.booleans()))
    path.write_bytes(buffer.getvalue()[: data.draw(st.integers(0, len(buffer.getvalue()) - 1))])
    with pytest.raises(ConfigError, match=r"weights\.pth cannot be read as weights"):
        read_weights(path)


def test_training_logs_are_ignored(source, tmp_path) -> None:
    """A training file of OpenMMLab is read like any other; its logs hold numpy's numbers."""
    content = {"state_dict": with_openmmlab_names(source.state_dict()), "message_hub": {"best": np.float64(0.5)}}
    torch.save(content, tmp_path / "weights.pth")
    assert equal(loaded(tmp_path / "weights.pth"), source.state_dict())


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_damaged_files_are_refused(tmp_path, name, content) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        loaded(tmp_path / name)


def test_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"pretrained weights not found: .*absent\.pth"):
        loaded(tmp_path / "absent.pth")


def test_imagenet_weights_are_those_of_the_matching_timm_model(monkeypatch) -> None:
    fetched = []

    def create(name: str, **_):
        fetched.append(name)
        return plain

    plain = DilatedResNet(variant="resnet50", bands=3, output_stride=16)
    monkeypatch.setattr(timm, "create_model", create)
    section = ModelSection(backbone=Component(name="resnet50"), pretrained=True)
    assert equal(build_backbone(section, bands=3).state_dict(), plain.state_dict())
    assert fetched == ["resnet50c.gluon_in1k"]


def test_resnet18_with_deep_stem_has_no_published_weights() -> None:
    with pytest.raises(ConfigError, match="no weights are published for resnet18") as error:
        build_backbone(ModelSection(backbone=Component(name="resnet18"), pretrained=True), bands=3)
    assert "resnet18b" in error.value.hint


def test_hint_of_a_failed_download_names_alternatives(monkeypatch) -> None:
    def offline(*_, **__):
        raise ConnectionError

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ConfigError, match=r"cannot download the pretrained weights of resnet50\.tv_in1k") as error:
        build_backbone(ModelSection(backbone=Component(name="resnet50b"), pretrained=True), bands=3)
    assert "path of a file" in error.value.hint
    assert "pretrained: false" in error.value.hint


def test_tensor_that_repeats_one_value_is_refused(tmp_path) -> None:
    torch.save({"conv1.weight": torch.zeros(1).expand(10**12)}, tmp_path / "a.pth")
    with pytest.raises(ConfigError, match=r"a\.pth does not contain the values of 'conv1\.weight'"):
        read_weights(tmp_path / "a.pth")
