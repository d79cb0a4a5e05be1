"""Build networks from the model section of a recipe or from a backbone name."""

from pathlib import Path
from typing import Any

from geoseg.config.load import parse_section
from geoseg.config.recipe import ModelSection
from geoseg.models.backbones import backbones
from geoseg.models.backbones.base import Backbone
from geoseg.models.find_backbone import find_backbone_module
from geoseg.models.heads import heads
from geoseg.models.network import SegmentationNetwork


def build_network(model: ModelSection, *, bands: int, classes: int) -> SegmentationNetwork:
    """Build the network described by a model section, in training mode.

    Args:
        model: The model section of a recipe.
        bands: Number of bands of the images.
        classes: Number of classes of the logits.

    Raises:
        ConfigError: If a component, its options or its pretrained weights are invalid.
    """
    return add_heads(build_backbone(model, bands=bands), model, classes=classes)


def add_heads(backbone: Backbone, model: ModelSection, *, classes: int) -> SegmentationNetwork:
    """Build the heads of a model section for the features of a backbone, and return the network of all parts."""
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
    """Create a segmentation network for use in your own training loop.

    Args:
        backbone: Name of a dilated ResNet (such as ``resnet50``) or of a timm model (such as ``convnext_tiny``).
        head: Name of a head: ``deeplabv3plus``, ``deeplabv3`` or ``fcn``.
        classes: Number of classes of the logits.
        bands: Number of bands of the images.
        output_stride: Stride of the deepest features, 8 or 16, if the backbone can be dilated.
        pretrained: True to download ImageNet weights, a path to read a file, or False to initialize randomly.
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
