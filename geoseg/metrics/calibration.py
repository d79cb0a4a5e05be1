"""Whether a network is as often right as it is sure: pixels counted by confidence.

Confidence is the probability of the predicted class. It is kept in steps of 1/254, as geoseg's confidence rasters keep
it, so that counts add up over scenes whatever bins are looked at later.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 255
"""Steps of confidence: level / 254."""
BINS = 15
"""Bins of the calibration error (Guo et al. 2017)."""


@dataclass
class Calibration:
    """Labelled pixels by confidence, right and wrong ones apart."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((LEVELS, 2), np.int64))
    """Pixels by [level of confidence, 0 wrong or 1 right]."""

    def update(self, level: NDArray[np.uint8], right: NDArray[np.bool_]) -> None:
        """Counts pixels, arrays of the same shape; ``level`` is confidence x 254, 255 for pixels that do not count."""
        codes = 2 * level.reshape(-1).astype(np.int64) + right.reshape(-1)
        self.counts = self.counts + np.bincount(codes, minlength=2 * 256)[: 2 * LEVELS].reshape(LEVELS, 2)

    def __add__(self, other: "Calibration") -> "Calibration":
        return Calibration(self.counts + other.counts)

    @property
    def pixels(self) -> int:
        """Pixels counted."""
        return int(self.counts.sum())

    def bins(self, count: int = BINS) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """(pixels, mean confidence, share that is right) in ``count`` bins of equal width; NaN where a bin is empty."""
        confidence = np.arange(LEVELS) / (LEVELS - 1)
        place = np.minimum((confidence * count).astype(int), count - 1)
        per_level = self.counts.sum(axis=1)
        pixels = np.bincount(place, per_level, count).astype(np.int64)
        sure, right = (np.bincount(place, each, count) for each in (per_level * confidence, self.counts[:, 1]))
        with np.errstate(invalid="ignore"):
            return pixels, sure / pixels, right / pixels

    def error(self, count: int = BINS) -> float:
        """Expected calibration error, 0 … 1: the mean gap between confidence and accuracy, bins weighed by their pixels.

        Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3. NaN without pixels.
        """
        pixels, sure, right = self.bins(count)
        return float(np.nansum(pixels * np.abs(sure - right)) / pixels.sum()) if self.pixels else float("nan")


def levels_of(confidence: NDArray[Any]) -> NDArray[np.uint8]:
    """Confidences 0 … 1 in steps of 1/254."""
    steps: NDArray[np.uint8] = np.rint(np.clip(confidence, 0, 1) * (LEVELS - 1)).astype(np.uint8)
    return steps
