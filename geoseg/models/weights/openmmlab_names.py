"""Parameter names: OpenMMLab's in ours, and back."""

import re
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

RENAMED = (
    (re.compile(r"^module\."), ""),  # left behind by DataParallel
    (re.compile(r"^decode_head\."), "head."),
    (re.compile(r"^auxiliary_head\."), "auxiliary."),
    # The zoo numbers its deep stem through, norms and ReLUs included; timm keeps the last norm outside, as bn1.
    (re.compile(r"^(backbone\.|)stem\.7\."), r"\1bn1."),
    (re.compile(r"^(backbone\.|)stem\."), r"\1conv1."),
)
"""Applied in this order."""

RENAMED_BACK = (
    (re.compile(r"^head\."), "decode_head."),
    (re.compile(r"^auxiliary\."), "auxiliary_head."),
    (re.compile(r"^backbone\.conv1\.(?=\d)"), "backbone.stem."),
)
"""For whole networks. The stem's last norm is left out: ``bn1`` alone does not tell which stem it belongs to."""


def to_geoseg(state: Mapping[str, T]) -> dict[str, T]:
    """A zoo state dict under geoseg's names, in the same order; names that are ours already stay.

    Works on whole networks (``backbone.stem.0.weight``) and on backbones alone (``stem.0.weight``).
    """
    return {renamed(key): value for key, value in state.items()}


def renamed(key: str) -> str:
    """One parameter's name in geoseg."""
    for pattern, ours in RENAMED:
        key = pattern.sub(ours, key)
    return key


def zoo_name(key: str, *, deep_stem: bool) -> str:
    """The zoo's name of one of our networks' parameters, for messages; ``deep_stem`` if its stem has three layers."""
    for pattern, theirs in RENAMED_BACK:
        key = pattern.sub(theirs, key)
    return key.replace("backbone.bn1.", "backbone.stem.7.") if deep_stem else key
