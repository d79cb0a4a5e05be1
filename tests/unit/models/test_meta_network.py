"""Tests of networks on the meta device: sizes and shapes without memory, and the same network after loading weights."""

import pytest
import torch
from helpers.networks import experienced

from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.build import build_network
from geoseg.models.meta_network import build_meta_network, find_difference, load_weights, require_memory

SIZE = {"bands": 2, "classes": 3}
BACKBONES = [
    "resnet18",
    "resnet50b",
    {"name": "torchgeo", "weights": "ResNet18_Weights.SENTINEL2_ALL_MOCO"},
    "convnext_atto",
    "swin_tiny_patch4_window7_224",  # buffers that are not saved
    "maxvit_pico_rw_256",  # the same, and a multiple that trial images find
    "mambaout_femto",
]


def section(backbone="resnet18", head="fcn", **changes) -> ModelSection:
    values = {"backbone": backbone, "head": head, "pretrained": False, "auxiliary_weight": 0.4}
    return ModelSection.model_validate(values | changes)


def tensors(network) -> dict[str, torch.Tensor]:
    """All tensors of a network by name, buffers that are not saved included."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


@pytest.mark.parametrize("backbone", BACKBONES, ids=str)
def test_loaded_weights_give_the_network_they_come_from(backbone) -> None:
    model = section(backbone)
    torch.manual_seed(0)
    source = experienced(build_network(model, **SIZE))
    weights = source.state_dict()
    outline = build_meta_network(model, **SIZE)
    assert all(tensor.is_meta for tensor in outline.state_dict().values())
    assert find_difference(outline, {name: weight.shape for name, weight in weights.items()}) == ""
    loaded = load_weights(outline, model, weights, **SIZE).eval()
    assert {name: tensor.dtype for name, tensor in tensors(loaded).items()} == {
        name: tensor.dtype for name, tensor in tensors(source).items()
    }
    assert all(torch.equal(tensor, tensors(source)[name]) for name, tensor in tensors(loaded).items())
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    images = torch.randn(1, 2, 70, 50)
    with torch.no_grad():
        assert torch.equal(loaded(images), source(images))


def test_loaded_weights_are_copies_of_the_types_of_the_network() -> None:
    model = section()
    weights = {name: value.half() for name, value in build_network(model, **SIZE).state_dict().items()}
    loaded = load_weights(build_meta_network(model, **SIZE), model, weights, **SIZE)
    expected = build_network(model, **SIZE)
    expected.load_state_dict(weights)
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in expected.state_dict().items())
    assert loaded.head.conv_seg.weight.dtype == torch.float32
    weights["head.conv_seg.bias"].fill_(7)
    assert not (loaded.head.conv_seg.bias == 7).any()


def test_random_numbers_are_not_used() -> None:
    torch.manual_seed(5)
    build_meta_network(section(), **SIZE)
    first = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(first, torch.rand(3))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda s: s.pop("head.conv_seg.bias"), "they lack head.conv_seg.bias"),
        (lambda s: s.update({"x" * 1000: (1,)}), "they have an unexpected 'xxx"),
        (
            lambda s: s.update({"head.conv_seg.bias": (9,)}),
            "head.conv_seg.bias is (9,), not (3,)",
        ),
        (lambda s: s.clear(), "they lack backbone.conv1.0.weight ("),
        (lambda s: s.pop("backbone.bn1.num_batches_tracked"), ""),  # torch adds it
    ],
)
def test_first_difference_is_named(change, difference) -> None:
    outline = build_meta_network(section(), **SIZE)
    shapes = {name: tuple(tensor.shape) for name, tensor in outline.state_dict().items()}
    change(shapes)
    found = find_difference(outline, shapes)
    assert found.startswith(difference)
    assert len(found) < 200
    assert bool(found) == bool(difference)


@pytest.mark.parametrize("head", ["fcn", "deeplabv3", "deeplabv3plus"])
def test_network_larger_than_the_memory_is_refused(head, monkeypatch) -> None:
    monkeypatch.setattr("geoseg.models.meta_network.physical_memory", lambda: 16 * 10**9)
    require_memory(section(head=head), **SIZE)
    huge = {"name": head, "channels": 60_000}
    if head == "fcn":  # a single convolution, 9 * 512 values per channel
        monkeypatch.setattr("geoseg.models.meta_network.physical_memory", lambda: 10**9)
    with pytest.raises(ConfigError, match=rf"resnet18 \+ {head} has .* million parameters.* GB of memory") as error:
        require_memory(section(head=huge), **SIZE)
    assert "model.head" in error.value.hint


def test_backbone_that_the_meta_device_cannot_build_is_built_on_the_cpu(monkeypatch) -> None:
    """Old versions of timm read values of tensors in constructors."""
    from timm.models import convnext  # noqa: PLC0415

    init = convnext.ConvNeXt.__init__

    def read_a_value(self, *arguments, **options):
        torch.linspace(0, 1, 3).tolist()
        init(self, *arguments, **options)

    monkeypatch.setattr(convnext.ConvNeXt, "__init__", read_a_value)
    assert all(tensor.is_meta for tensor in build_meta_network(section("convnext_atto"), **SIZE).parameters())
    with pytest.raises(ConfigError, match="does not support multi_grid"):
        build_meta_network(section("convnext_atto", multi_grid=[1, 2]), **SIZE)
