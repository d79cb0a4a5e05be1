"""Scores of a table of counts by name: means over the classes that count, and scores of all pixels together."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from geoseg.metrics.confusion_matrix import ConfusionMatrix, mean_of

CLASS_SCORES = {
    "iou": ConfusionMatrix.iou,
    "f1": ConfusionMatrix.f1,
    "precision": ConfusionMatrix.precision,
    "recall": ConfusionMatrix.recall,
}
"""Scores of single classes; F1 is Dice, recall is what papers call the accuracy of a class."""


def summary(counts: ConfusionMatrix, left_out: Collection[int] = ()) -> dict[str, float]:
    """Every score of all classes together, 0 … 1 (kappa may be less); NaN where undefined.

    Means are over the classes for which the score is defined, without those ``left_out`` (class indices). Accuracy and
    kappa are about all labelled pixels, those of the left-out classes included.
    """
    counted = ~np.isin(np.arange(counts.classes), list(left_out))
    means = {f"mean_{name}": mean_of(score(counts)[counted]) for name, score in CLASS_SCORES.items()}
    return {
        **means,
        "mean_accuracy": means["mean_recall"],
        "mean_dice": means["mean_f1"],
        "overall_accuracy": counts.overall_accuracy,
        "frequency_weighted_iou": _weighted_iou(counts, counted),
        "kappa": counts.kappa,
    }


def zoo_summary(counts: ConfusionMatrix) -> dict[str, float]:
    """What OpenMMLab's IoUMetric prints: percent, rounded to two decimals.

    Its mFscore leaves out classes whose precision or recall is undefined, or which have no pixel right; its mDice counts
    them as 0 where they occur.
    """
    precision, recall = counts.precision(), counts.recall()
    with np.errstate(invalid="ignore", divide="ignore"):
        f_score = 2 * precision * recall / (precision + recall)
    scores = {
        "aAcc": counts.overall_accuracy,
        "mIoU": counts.mean_iou,
        "mAcc": counts.mean_accuracy,
        "mDice": counts.mean_f1,
        "mFscore": mean_of(f_score),
        "mPrecision": mean_of(precision),
        "mRecall": mean_of(recall),
    }
    return {name: round(100 * score, 2) for name, score in scores.items()}


def _weighted_iou(counts: ConfusionMatrix, counted: NDArray[np.bool_]) -> float:
    pixels = np.where(counted, counts.in_reference, 0)
    return float(np.nansum(pixels * counts.iou()) / pixels.sum()) if pixels.any() else float("nan")
