"""Translate parameter names between OpenMMLab and geoseg."""

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

TO_GEOSEG = (
    (re.compile(r"^module\."), ""),  # prefix of torch.nn.DataParallel
    (re.compile(r"^decode_head\."), "head."),
    (re.compile(r"^auxiliary_head\."), "auxiliary."),
    # OpenMMLab numbers all layers of the deep stem, including batch norms and ReLUs; timm calls the last norm bn1.
    (re.compile(r"^(backbone\.|)stem\.7\."), r"\1bn1."),
    (re.compile(r"^(backbone\.|)stem\."), r"\1conv1."),
)
"""Replacements from OpenMMLab's names to geoseg's, applied in this order."""

TO_OPENMMLAB = (
    (re.compile(r"^head\."), "decode_head."),
    (re.compile(r"^auxiliary\."), "auxiliary_head."),
    (re.compile(r"^backbone\.conv1\.(?=\d)"), "backbone.stem."),
)
"""Replacements from geoseg's names to OpenMMLab's, for whole networks. The name of the last batch norm in the stem
depends on the type of stem."""


def to_geoseg_names(state: Mapping[str, T]) -> dict[str, T]:
    """Rename the parameters of an OpenMMLab state dict; geoseg's own names are left unchanged.

    Accepts whole networks (``backbone.stem.0.weight``) and backbones (``stem.0.weight``).

    Args:
        state: State dict with OpenMMLab's or geoseg's names.

    Returns:
        The same values with geoseg's names, in the same order.
    """
    return {to_geoseg_name(key): value for key, value in state.items()}


def to_geoseg_name(key: str) -> str:
    """Return geoseg's name for a parameter."""
    for pattern, ours in TO_GEOSEG:
        key = pattern.sub(ours, key)
    return key


def to_openmmlab_name(key: str, *, deep_stem: bool) -> str:
    """Return OpenMMLab's name for a parameter, for messages.

    Args:
        key: Parameter name in a geoseg network.
        deep_stem: Whether the stem has three convolutions.
    """
    for pattern, theirs in TO_OPENMMLAB:
        key = pattern.sub(theirs, key)
    return key.replace("backbone.bn1.", "backbone.stem.7.") if deep_stem else key
