"""Where crops are cut, one file per sampler; ``base`` says what a sampler promises."""

from geoseg.data.crops.samplers.base import Sampler
from geoseg.registry import Registry

samplers: Registry[Sampler] = Registry("sampler", __name__)
