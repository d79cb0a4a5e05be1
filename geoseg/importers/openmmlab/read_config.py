"""What the weights' names and shapes cannot tell: output stride, dilations, ``align_corners``.

Asked in this order: the configuration inside the checkpoint (read as text with small patterns, never executed), the
model section of a recipe, what almost all networks of the zoo have.
"""

import re
from dataclasses import dataclass
from typing import Literal

from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError
from geoseg.models.aspp import default_dilations
from geoseg.models.backbones.resnet import STAGES

UNSAID_DILATIONS = (1, 6, 12, 18)
"""What mmsegmentation's head has, whatever the stride, if its configuration leaves dilations out."""
ASSUMED = "assumed, as almost all of the zoo has it: neither checkpoint nor recipe says"

ASSIGNED = r"['\"]?\s*[=:]\s*"
"""Between a key and its value, in ``dict(key=value)`` as in ``{'key': value}``."""
LIST = r"[(\[]([-+\d\s,.eE]*)[)\]]"
"""A tuple or list of numbers, over several lines perhaps."""
UNSAID_STRIDES = (1, 2, 2, 2)
"""What mmsegmentation's ResNets have if the configuration leaves strides out."""


@dataclass(frozen=True)
class Settings:
    """How the network computes, apart from its weights."""

    output_stride: Literal[8, 16] = 8
    """Input pixels per pixel of the deepest features."""
    multi_grid: tuple[int, ...] | None = None
    """Absolute dilations of the backbone's last blocks; None for the plain rule."""
    align_corners: bool = False
    """How features are resized."""
    dilations: tuple[int, ...] | None = None
    """Dilations of the head's 3 x 3 branches; None for those usual at this output stride."""
    source: str = ASSUMED
    """Where this comes from, in words."""

    def __str__(self) -> str:
        grid = f"multi-grid {', '.join(map(str, self.multi_grid))}" if self.multi_grid else "no multi-grid"
        branches = f", dilations {', '.join(map(str, self.dilations))}" if self.dilations else ""
        return f"output stride {self.output_stride}, {grid}, align_corners {self.align_corners}{branches}"


def find_settings(config: str, model: ModelSection | None) -> Settings:
    """The settings from a checkpoint's configuration, else from a recipe's model section, else assumed.

    :class:`BundleError` if the configuration tells of a network that geoseg cannot build.
    """
    return from_config(config) or (from_recipe(model) if model else Settings())


def from_recipe(model: ModelSection) -> Settings:
    """The settings in a recipe's model section; its backbone and head are for the weights to tell."""
    dilations = model.head.options.get("dilations")
    return Settings(
        output_stride=model.output_stride,
        multi_grid=model.multi_grid,
        align_corners=model.align_corners,
        dilations=tuple(dilations) if isinstance(dilations, list | tuple) else None,
        source="from the recipe",
    )


def from_config(text: str) -> Settings | None:
    """The settings in the text of a configuration; None if it does not speak of a backbone, or of no single head."""
    model = section(text, "model")
    backbone, head = section(model, "backbone"), section(model, "decode_head")
    if not backbone or not head:
        return None
    strides = _numbers(backbone, "strides") or UNSAID_STRIDES
    multi_grid = _numbers(backbone, "multi_grid")
    output_stride = _output_stride(strides, _numbers(backbone, "dilations") or (1, 1, 1, 1))
    _refuse_other_rules(backbone, head, contracts=output_stride == 16 and multi_grid is not None)
    branches = _numbers(head, "dilations") or UNSAID_DILATIONS
    usual = (1, *default_dilations(output_stride))
    return Settings(
        output_stride=output_stride,
        multi_grid=multi_grid,
        align_corners=_is_set(head, "align_corners"),
        dilations=branches[1:] if branches != usual else None,
        source="from the checkpoint's own configuration",
    )


def scaling_in(text: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation per band that a configuration's text gives; None if it gives none."""
    found = [re.search(rf"\b{key}{ASSIGNED}{LIST}", text) for key in ("mean", "std")]
    try:
        mean, std = (tuple(map(float, re.findall(r"[^\s,]+", match[1]))) if match else () for match in found)
    except ValueError:
        return None
    return (mean, std) if mean and len(mean) == len(std) and min(std) > 0 else None


def is_bgr(text: str) -> bool:
    """Whether a configuration leaves pictures in the order they are decoded in: blue, green, red."""
    return re.search(rf"\b(?:bgr_)?to_rgb{ASSIGNED}[Ff]alse\b", text) is not None


def crop_in(text: str) -> int | None:
    """The shorter side of a training crop, pixels; None if the configuration does not say."""
    match = re.search(rf"^crop_size{ASSIGNED}{LIST}", text, re.MULTILINE)  # not those inside transforms and test_cfg
    sides = [int(side) for side in re.findall(r"\d+", match[1])] if match else []
    return min(sides, default=0) or None


def section(text: str, name: str) -> str:
    """What stands between the brackets of ``name=dict(...)`` or ``'name': {...}``; empty if they do not close."""
    start = re.search(rf"\b{name}{ASSIGNED}(?:dict\s*\(|\{{)", text)
    if start is None:
        return ""
    depth = 1
    for position in range(start.end(), len(text)):
        depth += (text[position] in "({[") - (text[position] in ")}]")
        if depth == 0:
            return text[start.end() : position]
    return ""


def _numbers(text: str, key: str) -> tuple[int, ...] | None:
    match = re.search(rf"\b{key}{ASSIGNED}{LIST}", text)
    return tuple(map(int, re.findall(r"\d+", match[1]))) if match else None


def _is_set(text: str, key: str) -> bool:
    return re.search(rf"\b{key}{ASSIGNED}[Tt]rue\b", text) is not None


def _output_stride(strides: tuple[int, ...], dilations: tuple[int, ...]) -> Literal[8, 16]:
    if (strides, dilations) == STAGES[8]:
        return 8
    if (strides, dilations) == STAGES[16]:
        return 16
    raise BundleError(
        f"the checkpoint's backbone has strides {strides} and dilations {dilations}",
        "geoseg builds those of the zoo's D8 and D16 networks",
    )


def _refuse_other_rules(backbone: str, head: str, *, contracts: bool) -> None:
    """Some settings change every number and no key: ``contracts`` if the first blocks' dilations are given anyhow."""
    if re.search(rf"\bstyle{ASSIGNED}['\"]caffe", backbone):
        raise BundleError("the checkpoint's backbone has the style 'caffe'", "geoseg builds ResNets of style 'pytorch'")
    if any(re.search(rf"\beps{ASSIGNED}(?!1e-0?5\b)", section(part, "norm_cfg")) for part in (backbone, head)):
        raise BundleError("the checkpoint's norms have an eps of their own", "geoseg builds norms with an eps of 1e-5")
    if not contracts and not _is_set(backbone, "contract_dilation"):
        raise BundleError(
            "the checkpoint's backbone has no contract_dilation", "geoseg builds the zoo's networks, which have it"
        )
