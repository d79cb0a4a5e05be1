"""Which network a state dict belongs to, told from its keys and shapes; names are geoseg's."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor

from geoseg.errors import BundleError
from geoseg.models.backbones.resnet import VARIANTS
from geoseg.models.weights.openmmlab_names import zoo_name

State = Mapping[str, Tensor]

HINT = "geoseg imports DeepLabV3 and DeepLabV3+ on the zoo's ResNets"
NAMED = 3
"""Keys that a message names before it only counts."""


class Architecture(NamedTuple):
    """What the weights tell."""

    backbone: str
    """The zoo's name of the ResNet."""
    head: str
    """Name of the head."""
    options: dict[str, Any]
    """The head's widths."""
    bands: int
    """Channels of an image."""
    classes: int
    """Channels of the logits."""
    has_auxiliary: bool
    """Whether there is an auxiliary head."""


def architecture(state: State) -> Architecture:
    """The architecture that most resembles ``state``; :class:`BundleError` if none does."""
    if not any(key.startswith("head.") for key in state):
        raise BundleError(
            f"the checkpoint has no decode_head: its keys begin with {_listed(list(state))}",
            "a backbone alone is no model; a recipe takes it as model.pretrained",
        )
    name = variant(state)
    deep_stem = VARIANTS[name].stem == "deep"
    return Architecture(
        backbone=name,
        head="deeplabv3plus" if "head.c1_bottleneck.conv.weight" in state else "deeplabv3",
        options=dict(_options(state)),
        bands=_size(state, "backbone.conv1.0.weight" if deep_stem else "backbone.conv1.weight", 1),
        classes=_size(state, "head.conv_seg.weight", 0),
        has_auxiliary=any(key.startswith("auxiliary.") for key in state),
    )


def variant(state: State) -> str:
    """The name of the ResNet with as many blocks, of the same kind, behind the same stem."""
    stem = "deep" if "backbone.conv1.0.weight" in state else ""
    block = Bottleneck if "backbone.layer1.0.conv3.weight" in state else BasicBlock
    blocks = tuple(_blocks(state, stage) for stage in (1, 2, 3, 4))
    for name, known in VARIANTS.items():
        if (known.block, known.blocks, known.stem) == (block, blocks, stem):
            return name
    if 0 in blocks:
        keys = [key for key in state if key.startswith("backbone.")]
        raise BundleError(f"the checkpoint's backbone is no ResNet: it has {_listed(keys)}", HINT)
    kind = f"{blocks} blocks of the kind {block.__name__} behind a {stem or 'plain'} stem"
    raise BundleError(f"the checkpoint's ResNet is none of the zoo's: {kind}", HINT)


def refuse_differences(wanted: State, given: State) -> None:
    """:class:`BundleError` that names the first keys which one has and the other lacks, or has in another shape."""
    deep_stem = "backbone.conv1.0.weight" in wanted
    lacks, surplus = ([key for key in one if key not in other] for one, other in ((wanted, given), (given, wanted)))
    changed = [key for key in wanted if key in given and wanted[key].shape != given[key].shape]
    shapes = [f"{key} as {tuple(given[key].shape)}, not {tuple(wanted[key].shape)}" for key in changed]
    parts = [
        f"{what} {_listed([zoo_name(key, deep_stem=deep_stem) for key in keys])}"
        for what, keys in (("lacks", lacks), ("has", surplus), ("has", shapes))
        if keys
    ]
    if parts:
        raise BundleError(f"the checkpoint is another network than it seems: it {'; it '.join(parts)}", HINT)


def _blocks(state: State, stage: int) -> int:
    matches = (re.match(rf"backbone\.layer{stage}\.(\d+)\.", key) for key in state)
    return len({match[1] for match in matches if match})


def _options(state: State) -> Iterator[tuple[str, int]]:
    """The head's widths where they are not a quarter of the deepest features', or 3/16 of the finest's."""
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
        raise BundleError(f"the checkpoint {what} {zoo_name(key, deep_stem='conv1.0' in key)}", HINT)
    return size


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
