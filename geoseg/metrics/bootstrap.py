"""How sure a score is: intervals by drawing scenes again and again (Efron 1979).

Neighbouring pixels are right or wrong together, so a hundred million of them do not make a score sure. What varies is
the scene: so whole scenes are drawn with replacement, their counts are added up, and the score is taken anew.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geoseg.metrics.confusion_matrix import ConfusionMatrix

REPEATS = 1000
LEVEL = 0.95
"""Share of the draws that an interval holds."""
SEED = 0


def intervals(
    scenes: Sequence[ConfusionMatrix],
    scores: Callable[[ConfusionMatrix], Mapping[str, float]],
    *,
    level: float = LEVEL,
    repeats: int = REPEATS,
) -> dict[str, tuple[float, float]]:
    """(low, high) of each score: percentiles over ``repeats`` draws, always the same ones, widened to hold the score.

    None for fewer than two scenes with labelled pixels, and none for scores that are undefined for all of them together.
    """
    labelled = [scene for scene in scenes if scene.in_reference.any()]
    if len(labelled) < 2:
        return {}
    drawn = np.random.default_rng(SEED).multinomial(len(labelled), np.full(len(labelled), 1 / len(labelled)), repeats)
    counts = np.tensordot(drawn, np.stack([scene.counts for scene in labelled]), 1)
    missed = drawn @ np.stack([scene.missed for scene in labelled])
    told = [scores(_matrix(*each)) for each in zip(counts, missed, strict=True)]
    edges = 50 * (1 - level), 50 * (1 + level)
    found = {}
    for name, score in scores(sum(labelled[1:], labelled[0])).items():
        values = np.array([draw[name] for draw in told])
        values = values[~np.isnan(values)]
        if values.size and not np.isnan(score):
            low, high = np.percentile(values, edges)
            found[name] = (min(float(low), score), max(float(high), score))
    return found


def _matrix(counts: NDArray[np.int64], missed: NDArray[np.int64]) -> ConfusionMatrix:
    matrix = ConfusionMatrix(len(counts))
    matrix.counts, matrix.missed = counts, missed
    return matrix
