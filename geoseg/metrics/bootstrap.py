"""Bootstrap confidence intervals for scores, resampled by scene (Efron 1979).

Errors of neighboring pixels are correlated, so pixels cannot be resampled independently. Whole scenes are drawn with
replacement, their counts are summed, and the score is computed from the sum.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geoseg.metrics.confusion_matrix import ConfusionMatrix

RESAMPLES = 1000
CONFIDENCE_LEVEL = 0.95
"""Confidence level: the fraction of resamples inside an interval."""
SEED = 0


def bootstrap_intervals(
    scenes: Sequence[ConfusionMatrix],
    scores: Callable[[ConfusionMatrix], Mapping[str, float]],
    *,
    level: float = CONFIDENCE_LEVEL,
    repeats: int = RESAMPLES,
) -> dict[str, tuple[float, float]]:
    """Compute percentile bootstrap intervals for scores, using a fixed random seed.

    Args:
        scenes: Confusion matrix of each scene.
        scores: Function that computes named scores from a confusion matrix.
        level: Fraction of the resamples inside the interval.
        repeats: Number of resamples.

    Returns:
        (low, high) keyed by score name, widened to include the score itself. Empty if there are fewer than two labeled
        scenes; undefined scores are omitted.
    """
    labeled = [scene for scene in scenes if scene.in_reference.any()]
    if len(labeled) < 2:
        return {}
    draws = np.random.default_rng(SEED).multinomial(len(labeled), np.full(len(labeled), 1 / len(labeled)), repeats)
    counts = np.tensordot(draws, np.stack([scene.counts for scene in labeled]), 1)
    missed = draws @ np.stack([scene.missed for scene in labeled])
    resampled = [scores(_matrix(*each)) for each in zip(counts, missed, strict=True)]
    edges = 50 * (1 - level), 50 * (1 + level)
    intervals = {}
    for name, score in scores(sum(labeled[1:], labeled[0])).items():
        values = np.array([draw[name] for draw in resampled])
        values = values[~np.isnan(values)]
        if values.size and not np.isnan(score):
            low, high = np.percentile(values, edges)
            intervals[name] = (min(float(low), score), max(float(high), score))
    return intervals


def _matrix(counts: NDArray[np.int64], missed: NDArray[np.int64]) -> ConfusionMatrix:
    matrix = ConfusionMatrix(len(counts))
    matrix.counts, matrix.missed = counts, missed
    return matrix
