"""Detect the architecture of a network from the names and shapes of its parameters."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor

from geoseg._text import join_names
from geoseg.errors import BundleError
from geoseg.models.backbones.resnet import VARIANTS
from geoseg.models.weights.openmmlab_names import to_openmmlab_name

State = Mapping[str, Tensor]

SUPPORTED_HINT = "geoseg imports DeepLabV3 and DeepLabV3+ with mmsegmentation's ResNets"
MAX_NAMED_KEYS = 3
"""Maximum number of keys listed in a message."""


class Architecture(NamedTuple):
    """The architecture of a network."""

    backbone: str
    """Name of the ResNet, a key of :data:`~geoseg.models.backbones.resnet.VARIANTS`."""
    head: str
    """Name of the head."""
    options: dict[str, Any]
    """Channel counts of the head that differ from its defaults."""
    bands: int
    """Number of bands of an image."""
    classes: int
    """Number of classes of the logits."""
    has_auxiliary: bool
    """True if the network has an auxiliary head."""


def detect_architecture(state: State) -> Architecture:
    """Detect the architecture from a state dict with geoseg's names.

    Raises:
        BundleError: If the network is not supported.
    """
    if not any(key.startswith("head.") for key in state):
        raise BundleError(
            f"the checkpoint has no decode_head: its first keys are {join_names(state, limit=MAX_NAMED_KEYS)}",
            "to use it as a pretrained backbone, set model.pretrained in a recipe",
        )
    name = detect_resnet(state)
    deep_stem = VARIANTS[name].stem == "deep"
    return Architecture(
        backbone=name,
        head="deeplabv3plus" if "head.c1_bottleneck.conv.weight" in state else "deeplabv3",
        options=dict(_options(state)),
        bands=_size(state, "backbone.conv1.0.weight" if deep_stem else "backbone.conv1.weight", 1),
        classes=_size(state, "head.conv_seg.weight", 0),
        has_auxiliary=any(key.startswith("auxiliary.") for key in state),
    )


def detect_resnet(state: State) -> str:
    """Return the name of the ResNet that has the same blocks and stem as a state dict."""
    stem = "deep" if "backbone.conv1.0.weight" in state else ""
    block = Bottleneck if "backbone.layer1.0.conv3.weight" in state else BasicBlock
    blocks = tuple(_blocks(state, stage) for stage in (1, 2, 3, 4))
    for name, entry in VARIANTS.items():
        if (entry.block, entry.blocks, entry.stem) == (block, blocks, stem):
            return name
    if 0 in blocks:
        keys = [key for key in state if key.startswith("backbone.")]
        raise BundleError(
            f"the backbone of the checkpoint is not a ResNet: it has {join_names(keys, limit=MAX_NAMED_KEYS)}",
            SUPPORTED_HINT,
        )
    kind = f"{blocks} blocks of type {block.__name__} and a {stem or 'plain'} stem"
    raise BundleError(f"unknown ResNet in the checkpoint: {kind}", SUPPORTED_HINT)


def require_same_parameters(wanted: State, given: State) -> None:
    """Check that two state dicts have the same names and shapes.

    Raises:
        BundleError: If they differ; the message lists the first missing, additional or differing parameters.
    """
    deep_stem = "backbone.conv1.0.weight" in wanted
    lacks, surplus = ([key for key in one if key not in other] for one, other in ((wanted, given), (given, wanted)))
    changed = [key for key in wanted if key in given and wanted[key].shape != given[key].shape]
    shapes = [f"{key} as {tuple(given[key].shape)}, not {tuple(wanted[key].shape)}" for key in changed]
    parts = [
        f"{what} {join_names([to_openmmlab_name(key, deep_stem=deep_stem) for key in keys], limit=MAX_NAMED_KEYS)}"
        for what, keys in (("lacks", lacks), ("has", surplus), ("has", shapes))
        if keys
    ]
    if parts:
        raise BundleError(
            f"the checkpoint does not match the detected architecture: it {'; it '.join(parts)}", SUPPORTED_HINT
        )


def _blocks(state: State, stage: int) -> int:
    matches = (re.match(rf"backbone\.layer{stage}\.(\d+)\.", key) for key in state)
    return len({match[1] for match in matches if match})


def _options(state: State) -> Iterator[tuple[str, int]]:
    """Yield channel counts of the head that differ from the defaults (1/4 of the deepest, 3/16 of the finest features)."""
    features = {"channels": ("bottleneck", 4, 1, 4), "low_level_channels": ("c1_bottleneck", 1, 3, 16)}
    for option, (module, stage, share, of) in features.items():
        weight = state.get(f"head.{module}.conv.weight")
        conv = "conv3" if "backbone.layer1.0.conv3.weight" in state else "conv2"
        feature = state.get(f"backbone.layer{stage}.0.{conv}.weight")
        if weight is not None and feature is not None and weight.ndim and feature.ndim:
            width = weight.shape[0]
            if width and width != feature.shape[0] * share // of:
                yield option, width


def _size(state: State, key: str, axis: int) -> int:
    weight = state.get(key)
    size = int(weight.shape[axis]) if weight is not None and weight.ndim == 4 else 0
    if not size:
        what = f"has {tuple(weight.shape)} as" if weight is not None else "lacks"
        raise BundleError(f"the checkpoint {what} {to_openmmlab_name(key, deep_stem='conv1.0' in key)}", SUPPORTED_HINT)
    return size
