"""Backbones: OpenMMLab's dilated ResNets, torchgeo's satellite ResNets, and any timm model that returns feature maps."""

from geoseg.models.backbones.base import Backbone
from geoseg.registry import Registry

backbones: Registry[Backbone] = Registry("backbone", __name__)
