"""Images to features: `resnet` (the zoo's), `timm` (every other name); ``base`` says what a backbone promises."""

from geoseg.models.backbones.base import Backbone
from geoseg.registry import Registry

backbones: Registry[Backbone] = Registry("backbone", __name__)
