"""Tests of the choice of device and precision."""

import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.models.device import choose_device, choose_precision, has_fast_bfloat16

CPU = torch.device("cpu")


def test_auto_chooses_an_available_device():
    torch.zeros(1, device=choose_device("auto"))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta", "cpu:7", ""])
def test_unavailable_device_is_refused_with_the_available_ones(name):
    with pytest.raises(ConfigError) as caught:
        choose_device(name)
    assert "cpu" in caught.value.hint


def test_explicit_precision_is_unchanged():
    assert choose_precision("float32", CPU) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(
    ("feature", "expected"), [("avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("avx2", "float32")]
)
def test_auto_precision_depends_on_the_processor(monkeypatch, feature, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {feature: True}, raising=False)
    assert choose_precision("auto", CPU) == expected


def test_bfloat16_counts_as_slow_if_torch_does_not_report_capabilities(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not has_fast_bfloat16(CPU)


def test_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="float8"):
        choose_precision("float8", CPU)
