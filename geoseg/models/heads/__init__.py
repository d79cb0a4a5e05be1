"""Heads: modules that map the features of a backbone to logits, one module per head."""

from geoseg.models.heads.base import Head
from geoseg.registry import Registry

heads: Registry[Head] = Registry("head", __name__)
