"""Random changes of training crops; colours change as in ``linear`` or as in ``photometric``."""

from geoseg.augment.augmentation import Augmentation

__all__ = ["Augmentation"]
