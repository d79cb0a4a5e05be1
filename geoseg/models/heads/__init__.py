"""Features to logits, one file per head; ``base`` says what a head promises."""

from geoseg.models.heads.base import Head
from geoseg.registry import Registry

heads: Registry[Head] = Registry("head", __name__)
