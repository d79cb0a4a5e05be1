"""Define the outputs of a prediction: the mask, and fractions from 0 to 1 (probabilities, confidence, entropy).

Every output is an 8-bit raster with 255 where nothing was predicted. Fractions are stored as 0 to 254 with a band scale
of 1/254, which GIS software applies. They are accurate to 0.002, and the files are about a tenth of the size of
floating-point rasters.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import IGNORE_INDEX, Legend

SHARE_STEPS = 254
"""The value that represents a fraction of 1; 255 is nodata."""

SHARES = {
    "probabilities": "the probability of each class, one band per class",
    "confidence": "the probability of the predicted class",
    "entropy": "entropy of the probabilities relative to its maximum: 0 is certain, 1 is a uniform distribution",
}
"""Descriptions of the outputs that contain fractions, by name."""


@dataclass(frozen=True)
class PredictionOutput:
    """Name and bands of one output raster."""

    name: str
    """``mask`` or a name in :data:`SHARES`."""
    bands: tuple[str, ...]
    """Names of the bands."""

    @property
    def is_mask(self) -> bool:
        """True for class indices, False for fractions."""
        return self.name == "mask"


def make_output(name: str, legend: Legend) -> PredictionOutput:
    """Create the output with the given name for a model with the classes in ``legend``.

    Example:
        >>> make_output("probabilities", Legend.of(["water", "road"])).bands
        ('water', 'road')
    """
    bands = {"mask": ("class",), "probabilities": legend.names}
    return PredictionOutput(name, tuple(bands.get(name, (name,))))


def encode_shares(shares: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Encode fractions as bytes.

    Args:
        shares: Fractions from 0 to 1, axes (band, row, col).
        valid: Axes (row, col); True where the fractions are defined.

    Returns:
        Values from 0 to 254, axes (band, row, col); 255 where not valid.
    """
    return np.where(valid, np.rint(shares * SHARE_STEPS), IGNORE_INDEX).astype(np.uint8)
