"""Tests of building networks from a model section, and of ``create_model``."""

import subprocess
import sys
from inspect import signature

import pytest
import torch

import geoseg
import geoseg.models
from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.build import build_network, create_model
from geoseg.models.network import SegmentationNetwork


def network(backbone: str = "resnet18", head: str = "deeplabv3plus", *, options=None, **section) -> SegmentationNetwork:
    model = ModelSection(backbone=Component(name=backbone, options=options or {}), head=Component(name=head), **section)
    with torch.device("meta"):
        return build_network(model, bands=3, classes=6)


@pytest.mark.parametrize(
    ("backbone", "head", "classes", "millions"),
    [
        ("resnet18", "deeplabv3plus", 6, 12.466),
        ("resnet18", "deeplabv3", 19, 13.986),
        ("resnet18b", "deeplabv3", 19, 13.967),
        ("resnet50", "deeplabv3plus", 6, 43.580),
        ("resnet50", "deeplabv3", 19, 68.113),
        ("resnet101", "deeplabv3plus", 6, 62.572),
    ],
)
def test_parameter_counts_equal_openmmlab(backbone, head, classes, millions) -> None:
    model = ModelSection(backbone=Component(name=backbone), head=Component(name=head))
    with torch.device("meta"):
        net = build_network(model, bands=3, classes=classes)
    assert sum(each.numel() for each in net.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)


def test_auxiliary_head_requires_a_weight() -> None:
    assert network(auxiliary_weight=0).auxiliary is None
    assert network(auxiliary_weight=0.4).auxiliary is not None


def test_align_corners_reaches_network_and_head() -> None:
    net = network(align_corners=True)
    assert (net.align_corners, net.head.align_corners) == (True, True)


def test_unknown_option_of_a_backbone_is_named() -> None:
    with pytest.raises(ConfigError, match="the backbone resnet has no option 'depth'"):
        network(options={"depth": 3})


def test_dilations_follow_the_output_stride() -> None:
    assert network(output_stride=16).head.aspp_modules[1].depthwise_conv.conv.dilation == (6, 6)
    assert network(output_stride=8).head.aspp_modules[1].depthwise_conv.conv.dilation == (12, 12)


@pytest.mark.parametrize(
    ("backbone", "head", "bands", "stride"),
    [("resnet18", "deeplabv3plus", 3, 4), ("resnet18", "deeplabv3", 4, 8), ("convnext_atto", "fcn", 1, 8)],
)
def test_created_model_maps_bands_to_classes(backbone, head, bands, stride) -> None:
    model = create_model(backbone, head=head, classes=6, bands=bands)
    assert model.training
    assert model.auxiliary is None
    with torch.no_grad():
        image = torch.zeros(2, bands, 64, 96)
        assert model.eval()(image).shape == (2, 6, 64, 96)
        assert model.head(model.backbone(image)).shape == (2, 6, 64 // stride, 96 // stride)


def test_created_model_equals_the_network_of_a_recipe() -> None:
    section = ModelSection(
        backbone=Component(name="resnet18"),
        head=Component(name="fcn"),
        output_stride=16,
        pretrained=False,
        auxiliary_weight=0,
    )
    torch.manual_seed(0)
    built = build_network(section, bands=3, classes=2).state_dict()
    torch.manual_seed(0)
    created = create_model("resnet18", head="fcn", classes=2, output_stride=16).state_dict()
    assert list(built) == list(created)
    assert all(torch.equal(built[name], created[name]) for name in built)


def test_created_model_has_an_auxiliary_head_on_request() -> None:
    model = create_model("resnet18", head="fcn", classes=3, auxiliary=True).eval()
    with torch.no_grad():
        logits, auxiliary = model.logits_with_auxiliary(torch.zeros(1, 3, 32, 32))
    assert logits.shape == auxiliary.shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"backbone": "resnet5"}, "unknown backbone 'resnet5'", "did you mean resnet"),
        ({"head": "deeplab3"}, "deeplab3", "did you mean deeplabv3"),
        ({"output_stride": 5}, "output_stride", "8"),
        ({"pretrained": "missing.pth"}, "missing.pth", "the path of a .pth"),
    ],
)
def test_invalid_values_of_create_model_are_refused_with_a_hint(options, message, hint) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        create_model(**({"backbone": "resnet18", "classes": 2} | options))
    assert hint in caught.value.hint


def test_create_model_is_exported() -> None:
    assert geoseg.create_model is geoseg.models.create_model is create_model
    assert "create_model" in geoseg.__all__
    assert signature(create_model).parameters["classes"].kind.name == "KEYWORD_ONLY"
    with pytest.raises(AttributeError, match="create_modell"):
        _ = geoseg.models.create_modell


def test_importing_models_does_not_import_torch() -> None:
    code = "import sys, geoseg.models; sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
