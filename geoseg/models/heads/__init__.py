"""Heads: modules that map the features of a backbone to logits, one module per head."""

from typing import TYPE_CHECKING

from geoseg.registry import Registry

if TYPE_CHECKING:
    from geoseg.models.heads.base import Head

heads: "Registry[Head]" = Registry("head", __name__)
