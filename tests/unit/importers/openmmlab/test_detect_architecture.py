"""Tests of detecting architectures from names and shapes of parameters."""

import re
from pathlib import Path

import pytest
import torch
from helpers.openmmlab import network, section

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.detect_architecture import Architecture, detect_architecture, require_same_parameters
from geoseg.importers.openmmlab.load_checkpoint import build_loaded_network, to_model_section
from geoseg.importers.openmmlab.read_config import ConfigSettings
from geoseg.models.weights.openmmlab_names import to_geoseg_names

LISTS = {
    "r18_v3": Architecture("resnet18", "deeplabv3", {}, 3, 19, True),
    "r18b_v3": Architecture("resnet18b", "deeplabv3", {}, 3, 19, True),
    "r50_v3": Architecture("resnet50", "deeplabv3", {}, 3, 19, True),
    "r50b_v3": Architecture("resnet50b", "deeplabv3", {}, 3, 19, True),
    "r101_d16_mg124_v3": Architecture("resnet101", "deeplabv3", {}, 3, 19, True),
    "r18_v3plus": Architecture("resnet18", "deeplabv3plus", {}, 3, 6, True),
    "r50_v3plus": Architecture("resnet50", "deeplabv3plus", {}, 3, 6, True),
    "r101_v3plus": Architecture("resnet101", "deeplabv3plus", {}, 3, 6, True),
}


def listed(path: Path) -> dict[str, torch.Tensor]:
    """A state dict without values, from lines of name, shape and type."""
    lines = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
    return {
        key: torch.empty([int(n) for n in re.findall(r"\d+", shape)], dtype=getattr(torch, dtype), device="meta")
        for key, shape, dtype in lines
    }


@pytest.mark.parametrize("name", LISTS)
def test_all_published_networks_are_detected_from_their_keys(openmmlab_keys, name) -> None:
    assert detect_architecture(to_geoseg_names(listed(openmmlab_keys / f"keys_{name}.txt"))) == LISTS[name]


@pytest.mark.parametrize("name", LISTS)
def test_all_published_keys_are_translated(openmmlab_keys, name) -> None:
    state = to_geoseg_names(listed(openmmlab_keys / f"keys_{name}.txt"))
    settings = ConfigSettings(16, (1, 2, 4)) if "mg124" in name else ConfigSettings()
    made = build_loaded_network(state, to_model_section(LISTS[name], settings), bands=3, classes=LISTS[name].classes)
    assert made.state_dict().keys() == state.keys()


def test_all_key_lists_are_tested(openmmlab_keys) -> None:
    assert {path.stem.removeprefix("keys_") for path in openmmlab_keys.glob("*.txt")} == set(LISTS)


def state_of(model, **sizes) -> dict[str, torch.Tensor]:
    return network(model, device="meta", **sizes).state_dict()


@pytest.mark.parametrize("head", ["deeplabv3", "deeplabv3plus"])
@pytest.mark.parametrize("backbone", ["resnet18", "resnet34b", "resnet50", "resnet101b"])
def test_built_networks_are_detected(backbone, head) -> None:
    model = section(backbone, head, auxiliary=False)
    found = detect_architecture(state_of(model, bands=5, classes=7))
    assert found == Architecture(backbone, head, dict(model.head.options), 5, 7, False)


def without(state, *beginnings):
    return {key: value for key, value in state.items() if not key.startswith(beginnings)}


def test_hint_for_a_backbone_without_head() -> None:
    state = without(state_of(section()), "head.", "auxiliary.")
    with pytest.raises(BundleError, match=r"no decode_head: its first keys are backbone\.conv1\.0\.weight") as error:
        detect_architecture(state)
    assert "model.pretrained" in error.value.hint


def test_unsupported_backbone_is_named_by_its_first_keys() -> None:
    state = {"backbone.patch_embed.weight": 0, "backbone.stages.0.weight": 0, "head.conv_seg.weight": 0}
    with pytest.raises(
        BundleError, match=r"is not a ResNet: it has backbone\.patch_embed\.weight, backbone\.stages\.0"
    ):
        detect_architecture(state)


def test_unknown_depth_is_named_by_its_blocks() -> None:
    state = without(state_of(section("resnet50")), "backbone.layer3.5")
    with pytest.raises(
        BundleError, match=r"unknown ResNet in the checkpoint: \(3, 4, 5, 3\) blocks of type Bottleneck"
    ):
        detect_architecture(state)


@pytest.mark.parametrize("shape", [(), (3,), (0, 8, 1, 1)])
def test_classifier_of_invalid_shape_is_refused(shape) -> None:
    state = state_of(section()) | {"head.conv_seg.weight": torch.empty(shape)}
    with pytest.raises(BundleError, match=r"as decode_head\.conv_seg\.weight"):
        detect_architecture(state)


def test_missing_classifier_is_named() -> None:
    with pytest.raises(BundleError, match=r"lacks decode_head\.conv_seg\.weight"):
        detect_architecture(without(state_of(section()), "head.conv_seg.weight"))


def test_differences_have_openmmlab_names() -> None:
    wanted = state_of(section())
    given = without(wanted, "backbone.bn1", "head.image_pool.1.conv")
    given |= {"head.conv_seg.bias": torch.empty(9), "decode_head.psp_modules.0.weight": torch.empty(1)}
    with pytest.raises(BundleError) as error:
        require_same_parameters(wanted, given)
    assert "lacks backbone.stem.7.weight, backbone.stem.7.bias, backbone.stem.7.running_mean and 3 more" in str(
        error.value
    )
    assert "has decode_head.psp_modules.0.weight" in str(error.value)
    assert "has decode_head.conv_seg.bias as (9,), not (3,)" in str(error.value)


def test_equal_keys_and_shapes_are_accepted() -> None:
    require_same_parameters(state_of(section()), state_of(section()))
