"""From a recipe's model section to a network.

A backbone's name is looked for in three places, in this order:

1. the zoo's ResNets (``resnet50``: the table in ``backbones/resnet.py``),
2. files in ``backbones/`` and entry points (``mine``: ``backbones/mine.py``),
3. timm (``convnext_tiny``: ``backbones/timm.py``).
"""

from difflib import get_close_matches
from typing import Any

from geoseg.config.recipe import ModelSection
from geoseg.errors import ConfigError, did_you_mean
from geoseg.models.backbones import backbones, timm
from geoseg.models.backbones.base import Backbone
from geoseg.models.backbones.resnet import VARIANTS
from geoseg.models.heads import heads
from geoseg.models.network import SegmentationNetwork

FAMILIES = {"resnet", "timm"}
"""Files in ``backbones/`` that answer to many names, and not to their own."""


def build_network(model: ModelSection, *, bands: int, classes: int) -> SegmentationNetwork:
    """The network a recipe describes, for images of so many bands and logits of so many classes, in training mode.

    :class:`ConfigError` names what is wrong with a part, its options or its pretrained weights.
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
        # The last but one stage: deep enough to know classes, and its gradient skips the deepest stage.
        auxiliary = heads.build("fcn", {"feature": -min(2, len(backbone.channels))}, **given)
    return SegmentationNetwork(backbone, head, auxiliary, align_corners=model.align_corners)


def build_backbone(model: ModelSection, *, bands: int) -> Backbone:
    """The backbone a recipe names, with pretrained weights if it asks for them."""
    return backbones.build(
        backbone_file(model.backbone.name),
        model.backbone.options,
        variant=model.backbone.name,
        bands=bands,
        output_stride=model.output_stride,
        multi_grid=model.multi_grid,
        pretrained=model.pretrained,
    )


def backbone_file(name: str) -> str:
    """The file in ``backbones/`` that answers to a backbone's name."""
    if name in VARIANTS:
        return "resnet"
    own = set(backbones.names()) - FAMILIES
    if name in own:
        return name
    if timm.is_known(name):
        return "timm"
    # timm's thousand names are worth a suggestion, but not to be listed.
    ours = {*VARIANTS, *own}
    close = get_close_matches(name, ours) or get_close_matches(name, timm.known_names())
    raise ConfigError(f"there is no backbone called {name!r}", did_you_mean(name, close or ours))
