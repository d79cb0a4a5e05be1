"""Samplers, which choose the windows that become crops; one file per sampler."""

from geoseg.data.crops.samplers.base import Sampler
from geoseg.registry import Registry

samplers: Registry[Sampler] = Registry("sampler", __name__)
