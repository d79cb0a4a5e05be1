"""Tests of finding the module of a backbone by its name."""

import json
import subprocess
import sys

import pytest
import timm
from timm.models import list_models

from geoseg.errors import ConfigError
from geoseg.models import find_backbone
from geoseg.models.backbones.resnet import VARIANTS
from geoseg.models.find_backbone import OPENMMLAB_RESNETS, find_backbone_module


@pytest.mark.parametrize(
    ("name", "file"),
    [("resnet50", "resnet"), ("resnet18b", "resnet"), ("convnext_tiny", "timm"), ("resnet50.tv_in1k", "timm")],
)
def test_name_of_a_backbone_selects_its_module(name, file) -> None:
    assert find_backbone_module(name) == file


def test_registered_modules_take_precedence_over_timm(monkeypatch) -> None:
    monkeypatch.setattr("geoseg.models.find_backbone.backbones.names", lambda: ["mine", "resnet", "resnet10t", "timm"])
    assert [find_backbone_module(name) for name in ("mine", "resnet10t", "resnet18")] == ["mine", "resnet10t", "resnet"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet5", "did you mean resnet"),
        ("timm", "choose one of resnet101, resnet101b"),
        ("resnet-50", "did you mean resnet50?"),
        ("convnext_tiiny", "convnext_tiny?"),
    ],
)
def test_unknown_backbone_suggests_the_closest_name(name, hint) -> None:
    with pytest.raises(ConfigError, match=f"unknown backbone '{name}'") as error:
        find_backbone_module(name)
    assert hint in error.value.hint


def test_names_of_openmmlab_resnets_are_those_of_the_table() -> None:
    assert tuple(VARIANTS) == OPENMMLAB_RESNETS


def test_names_read_from_the_source_of_timm_are_those_that_timm_knows() -> None:
    code = "import json, sys; from geoseg.models.find_backbone import list_timm_models; "
    code += "print(json.dumps([sorted(list_timm_models()), 'timm' in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, imported = json.loads(done.stdout)
    assert not imported
    assert set(list_models()) <= set(names)
    assert [name for name in names if not timm.is_model(name)] == []


def test_a_model_that_was_registered_in_timm_is_found(monkeypatch) -> None:
    monkeypatch.setattr(timm, "list_models", lambda: ["my_own_net"])
    assert find_backbone.find_backbone_module("my_own_net") == "timm"
