"""Images to features: `resnet` (the zoo's), `torchgeo` (satellites'), `timm` (all others); ``base`` has their promise."""

from geoseg.models.backbones.base import Backbone
from geoseg.registry import Registry

backbones: Registry[Backbone] = Registry("backbone", __name__)
