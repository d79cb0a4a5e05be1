"""Segmentation networks: backbones, heads, pretrained weights and inference engines.

``create_model("resnet50", classes=6)`` builds a network for your own training loop. The function is imported on first
use, because importing torch and timm takes several seconds.
"""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.models.backbones.base import Backbone as Backbone
    from geoseg.models.build import build_network as build_network
    from geoseg.models.build import create_model as create_model
    from geoseg.models.heads.base import Head as Head
    from geoseg.models.network import SegmentationNetwork as SegmentationNetwork

_MODULES = {
    "Backbone": "geoseg.models.backbones.base",
    "Head": "geoseg.models.heads.base",
    "SegmentationNetwork": "geoseg.models.network",
    "build_network": "geoseg.models.build",
    "create_model": "geoseg.models.build",
}

__all__ = [
    "Backbone",
    "Head",
    "SegmentationNetwork",
    "build_network",
    "create_model",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
