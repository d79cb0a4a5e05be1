"""Build networks from the model section of a recipe or from a backbone name.

Backbone names are looked up in this order:

1. OpenMMLab's dilated ResNets (``resnet50``: the table in ``backbones/resnet.py``),
2. modules in ``backbones/`` and entry points (``mine``: ``backbones/mine.py``),
3. timm (``convnext_tiny``: ``backbones/timm.py``).
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from geoseg._text import did_you_mean
from geoseg.config.load import parse_section
from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError
from geoseg.models.backbones import backbones, timm
from geoseg.models.backbones.base import Backbone
from geoseg.models.backbones.resnet import VARIANTS
from geoseg.models.heads import heads
from geoseg.models.network import SegmentationNetwork

FAMILIES = {"resnet", "timm"}
"""Modules in ``backbones/`` that contain many backbones and are not backbones themselves."""


def build_network(model: ModelSection, *, bands: int, classes: int) -> SegmentationNetwork:
    """Build the network described by a model section, in training mode.

    Args:
        model: The model section of a recipe.
        bands: Number of bands of the images.
        classes: Number of classes of the logits.

    Raises:
        ConfigError: If a component, its options or its pretrained weights are invalid.
    """
    backbone = build_backbone(model, bands=bands)
    given: dict[str, Any] = {
        "in_channels": backbone.channels,
        "strides": backbone.strides,
        "classes": classes,
        "align_corners": model.align_corners,
    }
    head = heads.build(model.head.name, model.head.options, **given)
    auxiliary = None
    if model.auxiliary_weight > 0:
        # The second-deepest stage, as in mmsegmentation.
        auxiliary = heads.build("fcn", {"feature": -min(2, len(backbone.channels))}, **given)
    return SegmentationNetwork(backbone, head, auxiliary, align_corners=model.align_corners)


def build_backbone(model: ModelSection, *, bands: int) -> Backbone:
    """Build the backbone of a model section, with pretrained weights if requested."""
    return backbones.build(
        find_backbone_module(model.backbone.name),
        model.backbone.options,
        variant=model.backbone.name,
        bands=bands,
        output_stride=model.output_stride,
        multi_grid=model.multi_grid,
        pretrained=model.pretrained,
    )


def find_backbone_module(name: str) -> str:
    """Return the name of the module in ``backbones/`` that contains a backbone.

    Raises:
        ConfigError: If no backbone has this name; the hint suggests the closest one.
    """
    if name in VARIANTS:
        return "resnet"
    own = set(backbones.names()) - FAMILIES
    if name in own:
        return name
    if timm.is_known(name):
        return "timm"
    # timm has over a thousand names: suggest the closest ones instead of listing all.
    ours = {*VARIANTS, *own}
    close = get_close_matches(name, ours) or get_close_matches(name, timm.known_names())
    raise ConfigError(f"unknown backbone {name!r}", did_you_mean(name, close or ours))


def create_model(
    backbone: str,
    *,
    head: str = "deeplabv3plus",
    classes: int,
    bands: int = 3,
    output_stride: int = 8,
    pretrained: bool | Path = False,
    auxiliary: bool = False,
) -> SegmentationNetwork:
    """Create a segmentation network, for use in your own training loop.

    Args:
        backbone: Name of a dilated ResNet (``resnet50``) or of a timm model (``convnext_tiny``).
        head: Name of a head: ``deeplabv3plus``, ``deeplabv3`` or ``fcn``.
        classes: Number of classes of the logits.
        bands: Number of bands of the images.
        output_stride: Stride of the deepest features, 8 or 16, if the backbone can be dilated.
        pretrained: True downloads ImageNet weights, a path reads a file, False initializes randomly.
        auxiliary: Whether to add an FCN head for deep supervision; see
            :meth:`SegmentationNetwork.logits_with_auxiliary`.

    Returns:
        The network in training mode. It maps normalized images (batch, band, row, col) to logits
        (batch, class, row, col).

    Raises:
        ConfigError: If a name or a value is invalid.

    Example:
        >>> import torch
        >>> network = create_model("resnet18", classes=6).eval()
        >>> network(torch.zeros(1, 3, 64, 96)).shape
        torch.Size([1, 6, 64, 96])
    """
    model = parse_section(
        ModelSection,
        {
            "backbone": backbone,
            "head": head,
            "output_stride": output_stride,
            "pretrained": pretrained,
            "auxiliary_weight": 0.4 if auxiliary else 0.0,
        },
        "create_model",
    )
    return build_network(model, bands=bands, classes=classes)
