"""Random augmentation of training crops: flips, rotations and color changes."""

from geoseg.augment.augmentation import Augmentation

__all__ = ["Augmentation"]
