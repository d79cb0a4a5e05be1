"""What a prediction can be written as: a mask, or shares between 0 and 1 that say how sure the model was.

A *product* is one raster file of bytes, with 255 where nothing was predicted. Shares (probabilities, confidence, entropy)
are stored as 0 to 254 and say in the file that a step is 1/254, so that GIS programs show the shares themselves; they are
right to 0.002, and take a tenth of the space of floating-point numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import IGNORE_INDEX, Legend

STEPS = 254
"""A share of 1, as it is stored; 255 is nodata."""


@dataclass(frozen=True)
class Product:
    """One kind of raster."""

    name: str
    """``mask`` or a name in :data:`SHARES`."""
    bands: tuple[str, ...]
    """What its bands are called."""

    @property
    def is_mask(self) -> bool:
        """True for class indices, False for shares."""
        return self.name == "mask"


SHARES = {
    "probabilities": "of each class, a band each",
    "confidence": "the probability of the class in the mask",
    "entropy": "of the probabilities, in units of the largest possible: 0 is certain, 1 knows nothing",
}
"""The products that are shares."""


def make_product(name: str, legend: Legend) -> Product:
    """The product of that name for a model with these classes."""
    bands = {"mask": ("class",), "probabilities": legend.names}
    return Product(name, tuple(bands.get(name, (name,))))


def stored(shares: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Shares, axes (band, row, col), as they are stored; ``valid`` (row, col) is True where they mean something."""
    return np.where(valid, np.rint(shares * STEPS), IGNORE_INDEX).astype(np.uint8)
