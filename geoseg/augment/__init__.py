"""Random augmentation of training crops: flips, rotations and color changes."""

from geoseg.augment.augment_crop import Augmentation

__all__ = ["Augmentation"]
