"""What every engine promises, of networks with and without batch norm, and how one is chosen."""

import logging
import subprocess
import sys
from functools import cache
from importlib import import_module

import pytest
import torch
from torch import nn

from geoseg.errors import ConfigError
from geoseg.models.backbones.timm import TimmBackbone
from geoseg.models.engines import openvino
from geoseg.models.engines import select as choose
from geoseg.models.engines.openvino import OpenVinoEngine
from geoseg.models.engines.pytorch import TorchEngine
from geoseg.models.engines.select import make_engine

CPU = torch.device("cpu")

needs_openvino = pytest.mark.skipif(not choose.is_openvino_installed(), reason="OpenVINO is not installed")


def convolutional():
    """A small network with a norm that has seen something, strides and resizing, and 4 classes of 2 bands."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm, self.last = nn.Conv2d(2, 8, 3, stride=2, padding=1), norm, nn.Conv2d(8, 4, 1)

        def forward(self, images):
            logits = self.last(self.norm(self.stem(images)).relu())
            return nn.functional.interpolate(logits, images.shape[-2:], mode="bilinear")

    return Network().eval()


class Loop(nn.Module):
    """A network of a user's own that decides by what it sees, which no converter follows."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)

    def forward(self, images):
        return self.conv(images) if images.mean() > 0 else self.conv(-images)


NETWORK = convolutional()


@cache
def engine(kind, precision):
    if kind == "torch":
        return TorchEngine(NETWORK, CPU, precision, bands=2)
    return OpenVinoEngine(NETWORK, precision, bands=2)


every_engine = pytest.mark.parametrize("kind", ["torch", pytest.param("openvino", marks=needs_openvino)])
every_size = pytest.mark.parametrize("size", [(1, 1), (1, 9), (17, 23), (64, 64)])


@every_engine
@every_size
@pytest.mark.parametrize("batch", [1, 3])
@torch.inference_mode()
def test_float32_of_any_engine_says_what_the_network_says(kind, size, batch):
    images = torch.randn(batch, 2, *size)
    logits = engine(kind, "float32")(images)
    torch.testing.assert_close(logits, NETWORK(images), rtol=1e-4, atol=1e-4)
    assert logits.dtype == torch.float32
    assert logits.is_contiguous()


@every_engine
@torch.inference_mode()
def test_bfloat16_gives_nearly_the_same_in_float32(kind):
    images = torch.randn(2, 2, 64, 64)
    logits = engine(kind, "bfloat16")(images)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, NETWORK(images), rtol=0.05, atol=0.05)


@every_engine
@torch.inference_mode()
def test_logits_stay_when_the_engine_runs_again(kind):
    images = torch.randn(1, 2, 20, 30)
    logits = engine(kind, "float32")(images)
    before = logits.clone()
    engine(kind, "float32")(images + 1)
    assert torch.equal(logits, before)


@every_engine
@torch.inference_mode()
def test_images_may_be_turned_and_are_not_changed(kind):
    images = torch.randn(1, 2, 20, 30).mT
    before = images.clone()
    torch.testing.assert_close(engine(kind, "float32")(images), NETWORK(images), rtol=1e-4, atol=1e-4)
    assert torch.equal(images, before)


@torch.inference_mode()
def test_a_live_network_is_run_itself_and_as_it_is_now():
    network, images = convolutional(), torch.randn(1, 2, 20, 30)
    live = make_engine(network, CPU, "float32", "auto", bands=2, live=True)
    network.last.bias += 1
    assert torch.equal(live(images), network(images))
    assert live.network is network


def test_engines_leave_the_network_as_it_was():
    before = {name: weight.clone() for name, weight in convolutional().state_dict().items()}
    TorchEngine(NETWORK, CPU, "bfloat16", bands=2)
    assert all(torch.equal(weight, before[name]) for name, weight in NETWORK.state_dict().items())
    assert all(weight.is_contiguous() for weight in NETWORK.state_dict().values())


def chosen(monkeypatch, network=NETWORK, machine="x86_64", **options):
    monkeypatch.setattr(choose.platform, "machine", lambda: machine)
    monkeypatch.setattr(choose, "is_openvino_installed", lambda: True)
    monkeypatch.setattr(choose, "OpenVinoEngine", Stub)
    return make_engine(network, CPU, "float32", **{"name": "auto", "bands": 2} | options).name


class Stub:
    name = "OpenVINO"

    def __init__(self, *_, **__):
        pass


class ForTimm(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = TimmBackbone(variant="mobilenetv3_small_050", bands=2, output_stride=16)


def test_the_automatic_engine_is_openvino_for_much_work_on_measured_cpus(monkeypatch):
    assert chosen(monkeypatch) == "OpenVINO"
    assert chosen(monkeypatch, machine="arm64") == "torch"
    assert chosen(monkeypatch, live=True) == "torch"
    assert chosen(monkeypatch, name="torch") == "torch"
    weights = sum(weight.numel() for weight in NETWORK.parameters())
    assert chosen(monkeypatch, pixels=int(choose.MIN_WORK_FOR_OPENVINO / weights) + 1) == "OpenVINO"
    assert chosen(monkeypatch, pixels=int(choose.MIN_WORK_FOR_OPENVINO / weights) - 1) == "torch"
    assert chosen(monkeypatch, name="openvino", pixels=1) == "OpenVINO"


def test_networks_of_timm_stay_with_torch_unless_openvino_is_named(monkeypatch):
    network = ForTimm()
    assert chosen(monkeypatch, network) == "torch"
    assert chosen(monkeypatch, network, name="openvino") == "OpenVINO"


def test_without_openvino_torch_runs_and_the_name_is_answered(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert not choose.is_openvino_installed()
    assert make_engine(NETWORK, CPU, "float32", bands=2).name == "torch"
    with pytest.raises(ConfigError, match="not installed") as caught:
        make_engine(NETWORK, CPU, "float32", "openvino", bands=2)
    assert "--engine torch" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "onnx"}, "unknown engine 'onnx'"),
        ({"name": "openvino", "live": True}, "in training"),
        ({"name": "openvino", "device": torch.device("cuda", 0)}, "not on cuda:0"),
    ],
)
def test_what_cannot_be_had_is_said(options, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        make_engine(NETWORK, **{"device": CPU, "precision": "float32", "bands": 2} | options)
    assert caught.value.hint


@needs_openvino
def test_a_network_that_cannot_be_converted_is_run_by_torch_with_a_note(caplog, monkeypatch):
    monkeypatch.setattr(choose.platform, "machine", lambda: "x86_64")
    with caplog.at_level(logging.WARNING):
        assert make_engine(Loop().eval(), CPU, "float32", bands=2).name == "torch"
    assert "OpenVINO cannot run this network" in caplog.text
    with pytest.raises(ConfigError, match="OpenVINO cannot run this network") as caught:
        make_engine(Loop().eval(), CPU, "float32", "openvino", bands=2)
    assert "--engine torch" in caught.value.hint


def test_telemetry_is_not_to_be_found_while_openvino_is_imported_and_then_as_before(monkeypatch):
    other = object()
    monkeypatch.setitem(sys.modules, openvino.TELEMETRY_PACKAGE, other)
    with openvino.without_telemetry(), pytest.raises(ImportError):
        import_module(openvino.TELEMETRY_PACKAGE)
    assert sys.modules[openvino.TELEMETRY_PACKAGE] is other
    monkeypatch.delitem(sys.modules, openvino.TELEMETRY_PACKAGE)
    with openvino.without_telemetry():
        pass
    assert openvino.TELEMETRY_PACKAGE not in sys.modules


@needs_openvino
def test_neither_openvino_comes_before_it_is_needed_nor_its_telemetry_ever(tmp_path):
    program = """
import sys, torch
from geoseg.inference import predictor
from geoseg.models.engines.openvino import OpenVinoEngine
assert "openvino" not in sys.modules
OpenVinoEngine(torch.nn.Conv2d(1, 2, 3, padding=1), "float32", bands=1)
assert "openvino" in sys.modules
assert not any("openvino_telemetry" in name for name in sys.modules)
"""
    home = {"HOME": str(tmp_path), "OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run([sys.executable, "-c", program], check=True, env=home)
    assert list(tmp_path.rglob("*openvino*")) == []
    assert not (tmp_path / "intel").exists()
