"""What training minimises, one file per loss; ``base`` says what a loss promises."""

from geoseg.losses.base import Loss
from geoseg.registry import Registry

losses: Registry[Loss] = Registry("loss", __name__)
