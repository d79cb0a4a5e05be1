"""Named scores of a confusion matrix: means over classes and scores over all pixels."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from geoseg.metrics.confusion_matrix import ConfusionMatrix, nanmean

CLASS_SCORES = {
    "iou": ConfusionMatrix.iou,
    "f1": ConfusionMatrix.f1,
    "precision": ConfusionMatrix.precision,
    "recall": ConfusionMatrix.recall,
}
"""Scores per class. F1 is identical to Dice; recall is often called class accuracy."""


def summarize_scores(counts: ConfusionMatrix, excluded: Collection[int] = ()) -> dict[str, float]:
    """Compute all overall scores, 0 to 1 (kappa can be negative); NaN if undefined.

    Args:
        counts: The confusion matrix.
        excluded: Class indices excluded from means. Overall accuracy and kappa include all labeled pixels.

    Returns:
        Scores by name. Means are over the classes for which the score is defined.
    """
    counted = ~np.isin(np.arange(counts.classes), list(excluded))
    means = {f"mean_{name}": nanmean(score(counts)[counted]) for name, score in CLASS_SCORES.items()}
    return {
        **means,
        "mean_accuracy": means["mean_recall"],
        "mean_dice": means["mean_f1"],
        "overall_accuracy": counts.overall_accuracy,
        "frequency_weighted_iou": _weighted_iou(counts, counted),
        "kappa": counts.kappa,
    }


def openmmlab_scores(counts: ConfusionMatrix) -> dict[str, float]:
    """Compute the scores that mmsegmentation's IoUMetric prints: percent, rounded to two decimals.

    Its mFscore ignores classes whose precision or recall is undefined and classes without true positives; its mDice
    counts the latter as 0.
    """
    precision, recall = counts.precision(), counts.recall()
    with np.errstate(invalid="ignore", divide="ignore"):
        f_score = 2 * precision * recall / (precision + recall)
    scores = {
        "aAcc": counts.overall_accuracy,
        "mIoU": counts.mean_iou,
        "mAcc": counts.mean_accuracy,
        "mDice": counts.mean_f1,
        "mFscore": nanmean(f_score),
        "mPrecision": nanmean(precision),
        "mRecall": nanmean(recall),
    }
    return {name: round(100 * score, 2) for name, score in scores.items()}


def _weighted_iou(counts: ConfusionMatrix, counted: NDArray[np.bool_]) -> float:
    pixels = np.where(counted, counts.in_reference, 0)
    return float(np.nansum(pixels * counts.iou()) / pixels.sum()) if pixels.any() else float("nan")
