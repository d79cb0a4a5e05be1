"""Loss functions, one module per loss."""

from geoseg.losses.base import Loss
from geoseg.registry import Registry

losses: Registry[Loss] = Registry("loss", __name__)
