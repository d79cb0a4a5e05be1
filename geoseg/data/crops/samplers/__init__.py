"""Samplers, which choose the windows that become crops; one module per sampler."""

from typing import TYPE_CHECKING

from geoseg.registry import Registry

if TYPE_CHECKING:
    from geoseg.data.crops.samplers.base import Sampler

samplers: "Registry[Sampler]" = Registry("sampler", __name__)
