"""Backbones: OpenMMLab's dilated ResNets, torchgeo's satellite ResNets, and any timm model that returns feature maps."""

from typing import TYPE_CHECKING

from geoseg.registry import Registry

if TYPE_CHECKING:
    from geoseg.models.backbones.base import Backbone

backbones: "Registry[Backbone]" = Registry("backbone", __name__)
