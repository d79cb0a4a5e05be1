"""Read settings that cannot be detected from weights: output stride, dilations, ``align_corners``.

The sources are, in this order: the configuration in the checkpoint (parsed as text with regular expressions, never
executed), the model section of a recipe, and mmsegmentation's defaults.
"""

import re
from dataclasses import dataclass
from typing import Literal

from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError

DEFAULT_DILATIONS = (1, 6, 12, 18)
"""Dilations of mmsegmentation's heads if they are not in the configuration."""
ASSUMED = "assumed: the default of mmsegmentation, because neither the checkpoint nor a recipe sets it"

FROM_CONFIG = "from the configuration in the checkpoint"

ASSIGNMENT_PATTERN = r"['\"]?\s*[=:]\s*"
"""Pattern between a key and its value, in ``dict(key=value)`` and in ``{'key': value}``."""
LIST_PATTERN = r"[(\[]([-+\d\s,.eE]*)[)\]]"
"""Pattern of a tuple or list of numbers, possibly spread over several lines."""
DEFAULT_STRIDES = (1, 2, 2, 2)
"""Strides of mmsegmentation's ResNets if they are not in the configuration."""


@dataclass(frozen=True)
class ConfigSettings:
    """Settings of a network that are not determined by its weights."""

    output_stride: Literal[8, 16] = 8
    """Ratio of the input resolution to that of the deepest features."""
    multi_grid: tuple[int, ...] | None = None
    """Absolute dilations of the blocks of the last stage; None for the default rule."""
    align_corners: bool = False
    """How features are resized."""
    dilations: tuple[int, ...] | None = None
    """Dilations of the 3 x 3 branches of the head; None for the default at this output stride."""
    source: str = ASSUMED
    """Description of where the settings come from."""

    def __str__(self) -> str:
        grid = f"multi-grid {', '.join(map(str, self.multi_grid))}" if self.multi_grid else "no multi-grid"
        branches = f", dilations {', '.join(map(str, self.dilations))}" if self.dilations else ""
        return f"output stride {self.output_stride}, {grid}, align_corners {self.align_corners}{branches}"


def choose_settings(config: str, model: ModelSection | None) -> ConfigSettings:
    """Return the settings from a configuration, or else from a model section, or else the defaults.

    Args:
        config: Configuration as Python source; may be empty.
        model: Model section of a recipe, or None.

    Raises:
        BundleError: If the configuration describes a network that geoseg cannot build.
    """
    return read_settings(config) or (settings_from_recipe(model) if model else ConfigSettings())


def settings_from_recipe(model: ModelSection) -> ConfigSettings:
    """Return the settings in a model section; the backbone and head are detected from the weights."""
    dilations = model.head.options.get("dilations")
    return ConfigSettings(
        output_stride=model.output_stride,
        multi_grid=model.multi_grid,
        align_corners=model.align_corners,
        dilations=tuple(dilations) if isinstance(dilations, list | tuple) else None,
        source="from the recipe",
    )


def read_settings(text: str) -> ConfigSettings | None:
    """Return the settings in a configuration; None unless it has a backbone and exactly one head."""
    from geoseg.models.aspp import default_dilations  # imports torch

    model = extract_section(text, "model")
    backbone, head = extract_section(model, "backbone"), extract_section(model, "decode_head")
    if not backbone or not head:
        return None
    strides = _numbers(backbone, "strides") or DEFAULT_STRIDES
    multi_grid = _numbers(backbone, "multi_grid")
    output_stride = _output_stride(strides, _numbers(backbone, "dilations") or (1, 1, 1, 1))
    _refuse_unsupported(backbone, head, contracts=output_stride == 16 and multi_grid is not None)
    branches = _numbers(head, "dilations") or DEFAULT_DILATIONS
    default = (1, *default_dilations(output_stride))
    return ConfigSettings(
        output_stride=output_stride,
        multi_grid=multi_grid,
        align_corners=_is_set(head, "align_corners"),
        dilations=branches[1:] if branches != default else None,
        source=FROM_CONFIG,
    )


def read_normalization(text: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return the mean and standard deviation per band in a configuration; None if it has none."""
    matches = [re.search(rf"\b{key}{ASSIGNMENT_PATTERN}{LIST_PATTERN}", text) for key in ("mean", "std")]
    try:
        mean, std = (tuple(map(float, re.findall(r"[^\s,]+", match[1]))) if match else () for match in matches)
    except ValueError:
        return None
    return (mean, std) if mean and len(mean) == len(std) and min(std) > 0 else None


def is_bgr(text: str) -> bool:
    """Return whether images stay in the band order of the decoder: blue, green, red."""
    return re.search(rf"\b(?:bgr_)?to_rgb{ASSIGNMENT_PATTERN}[Ff]alse\b", text) is not None


def read_crop(text: str) -> int | None:
    """Return the shorter side of the training crops in pixels; None if the configuration has none."""
    match = re.search(
        rf"^crop_size{ASSIGNMENT_PATTERN}{LIST_PATTERN}", text, re.MULTILINE
    )  # not in transforms and test_cfg
    sides = [int(side) for side in re.findall(r"\d{1,12}", match[1])] if match else []
    return min(sides, default=0) or None


def extract_section(text: str, name: str) -> str:
    """Return the text inside ``name=dict(...)`` or ``'name': {...}``; empty if the brackets are not balanced."""
    start = re.search(rf"\b{name}{ASSIGNMENT_PATTERN}(?:dict\s*\(|\{{)", text)
    if start is None:
        return ""
    depth = 1
    for position in range(start.end(), len(text)):
        depth += (text[position] in "({[") - (text[position] in ")}]")
        if depth == 0:
            return text[start.end() : position]
    return ""


def _numbers(text: str, key: str) -> tuple[int, ...] | None:
    match = re.search(rf"\b{key}{ASSIGNMENT_PATTERN}{LIST_PATTERN}", text)
    return tuple(map(int, re.findall(r"\d+", match[1]))) if match else None


def _is_set(text: str, key: str) -> bool:
    return re.search(rf"\b{key}{ASSIGNMENT_PATTERN}[Tt]rue\b", text) is not None


def _output_stride(strides: tuple[int, ...], dilations: tuple[int, ...]) -> Literal[8, 16]:
    from geoseg.models.backbones.resnet import STAGES  # imports torch

    if (strides, dilations) == STAGES[8]:
        return 8
    if (strides, dilations) == STAGES[16]:
        return 16
    raise BundleError(
        f"the checkpoint's backbone has strides {strides} and dilations {dilations}",
        "geoseg supports those of mmsegmentation's D8 and D16 networks",
    )


def _refuse_unsupported(backbone: str, head: str, *, contracts: bool) -> None:
    """Reject settings that change the outputs but not the parameter names.

    Args:
        backbone: Backbone section.
        head: Head section.
        contracts: Whether other settings define the dilation of the first blocks.
    """
    if re.search(rf"\bstyle{ASSIGNMENT_PATTERN}['\"]caffe", backbone):
        raise BundleError("not supported: backbone style 'caffe'", "import a checkpoint with style 'pytorch'")
    if any(
        re.search(rf"\beps{ASSIGNMENT_PATTERN}(?!1e-0?5\b)", extract_section(part, "norm_cfg"))
        for part in (backbone, head)
    ):
        raise BundleError(
            "not supported: batch norms with a non-default eps",
            "import a checkpoint whose batch norms have an eps of 1e-5",
        )
    if not contracts and not _is_set(backbone, "contract_dilation"):
        raise BundleError(
            "not supported: a backbone without contract_dilation",
            "import a checkpoint with contract_dilation=True",
        )
