"""Calibration: whether confidence matches accuracy.

Confidence is the probability of the predicted class. It is quantized in steps of 1/254, as in geoseg's confidence
rasters, so that counts from different scenes can be added and binned later.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE_LEVELS = 255
"""Number of confidence levels; confidence = level / 254."""
CALIBRATION_BINS = 15
"""Number of bins for the calibration error (Guo et al. 2017)."""


@dataclass
class Calibration:
    """Number of correct and wrong pixels by confidence."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((CONFIDENCE_LEVELS, 2), np.int64))
    """Number of pixels, indexed by [confidence level, 0 = wrong or 1 = correct]."""

    def update(self, level: NDArray[np.uint8], correct: NDArray[np.bool_]) -> None:
        """Count pixels.

        Args:
            level: Confidence x 254; 255 for pixels to ignore.
            correct: Whether the predicted class is correct; same shape as ``level``.
        """
        codes = 2 * level.reshape(-1).astype(np.int64) + correct.reshape(-1)
        counts = np.bincount(codes, minlength=2 * 256)[: 2 * CONFIDENCE_LEVELS]
        self.counts = self.counts + counts.reshape(CONFIDENCE_LEVELS, 2)

    def __add__(self, other: "Calibration") -> "Calibration":
        return Calibration(self.counts + other.counts)

    @property
    def pixels(self) -> int:
        """Number of counted pixels."""
        return int(self.counts.sum())

    def bins(self, count: int = CALIBRATION_BINS) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the number of pixels, mean confidence and accuracy in ``count`` bins of equal width; NaN for empty bins."""
        confidence = np.arange(CONFIDENCE_LEVELS) / (CONFIDENCE_LEVELS - 1)
        place = np.minimum((confidence * count).astype(int), count - 1)
        per_level = self.counts.sum(axis=1)
        pixels = np.bincount(place, per_level, count).astype(np.int64)
        confidences, correct = (np.bincount(place, each, count) for each in (per_level * confidence, self.counts[:, 1]))
        with np.errstate(invalid="ignore"):
            return pixels, confidences / pixels, correct / pixels

    def error(self, count: int = CALIBRATION_BINS) -> float:
        """Compute the expected calibration error, 0 to 1: the mean gap between confidence and accuracy.

        Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3: bins are weighted by their number of
        pixels. NaN if there are no pixels.
        """
        pixels, confidence, accuracy = self.bins(count)
        return float(np.nansum(pixels * np.abs(confidence - accuracy)) / pixels.sum()) if self.pixels else float("nan")


def quantize_confidence(confidence: NDArray[Any]) -> NDArray[np.uint8]:
    """Quantize confidence values between 0 and 1 in steps of 1/254."""
    steps: NDArray[np.uint8] = np.rint(np.clip(confidence, 0, 1) * (CONFIDENCE_LEVELS - 1)).astype(np.uint8)
    return steps
