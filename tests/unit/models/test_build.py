"""A model section becomes a network, or a sentence that says why not."""

import pytest
import torch

from geoseg.config.component import Part
from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.build import backbone_file, build_network
from geoseg.models.network import SegmentationNetwork


def network(backbone: str = "resnet18", head: str = "deeplabv3plus", *, options=None, **section) -> SegmentationNetwork:
    model = ModelSection(backbone=Part(name=backbone, options=options or {}), head=Part(name=head), **section)
    with torch.device("meta"):
        return build_network(model, bands=3, classes=6)


@pytest.mark.parametrize(
    ("name", "file"),
    [("resnet50", "resnet"), ("resnet18b", "resnet"), ("convnext_tiny", "timm"), ("resnet50.tv_in1k", "timm")],
)
def test_a_backbones_name_leads_to_a_file(name, file) -> None:
    assert backbone_file(name) == file


def test_own_files_come_before_timm(monkeypatch) -> None:
    monkeypatch.setattr("geoseg.models.build.backbones.names", lambda: ["mine", "resnet", "resnet10t", "timm"])
    assert [backbone_file(name) for name in ("mine", "resnet10t", "resnet18")] == ["mine", "resnet10t", "resnet"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet5", "did you mean resnet"),
        ("timm", "known are: resnet101, resnet101b"),
        ("resnet-50", "did you mean resnet50?"),
        ("convnext_tiiny", "convnext_tiny?"),
    ],
)
def test_unknown_backbones_are_answered_with_the_nearest_name(name, hint) -> None:
    with pytest.raises(ConfigError, match=f"there is no backbone called '{name}'") as error:
        backbone_file(name)
    assert hint in error.value.hint


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
def test_networks_are_as_large_as_the_zoos(backbone, head, classes, millions) -> None:
    model = ModelSection(backbone=Part(name=backbone), head=Part(name=head))
    with torch.device("meta"):
        net = build_network(model, bands=3, classes=classes)
    assert sum(each.numel() for each in net.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)


def test_without_weight_there_is_no_auxiliary_head() -> None:
    assert network(auxiliary_weight=0).auxiliary is None
    assert network(auxiliary_weight=0.4).auxiliary is not None


def test_align_corners_reaches_network_and_head() -> None:
    net = network(align_corners=True)
    assert (net.align_corners, net.head.align_corners) == (True, True)


def test_an_unknown_option_of_a_backbone_is_named() -> None:
    with pytest.raises(ConfigError, match="the backbone resnet has no option 'depth'"):
        network(options={"depth": 3})


def test_dilations_follow_the_output_stride() -> None:
    assert network(output_stride=16).head.aspp_modules[1].depthwise_conv.conv.dilation == (6, 6)
    assert network(output_stride=8).head.aspp_modules[1].depthwise_conv.conv.dilation == (12, 12)
