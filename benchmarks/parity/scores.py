"""Compare the scores from mmsegmentation's IoUMetric and geoseg's confusion matrix, on random masks."""

import logging
from collections.abc import Iterator

import numpy as np
import torch
from mmseg.evaluation import IoUMetric
from numpy.typing import ArrayLike
from part import Part
from torch import Tensor

from geoseg.metrics import ConfusionMatrix

SETS = ((6, 0), (16, 3))
"""Number of classes, and number of classes that do not occur."""
IMAGES = 5


def compare_scores() -> Iterator[Part]:
    """Compare counts, class scores and the rounded summary for two sets of masks; one set lacks some classes."""
    logging.disable(logging.CRITICAL)  # IoUMetric prints its table
    areas, classes, summaries = zip(*(compare_masks(*each) for each in SETS), strict=True)
    logging.disable(logging.NOTSET)
    what = f"{len(SETS)} sets of {IMAGES} masks"
    yield Part("IoUMetric: pixels of each class", what, max(areas), "pixels")
    yield Part("IoUMetric: IoU, accuracy, Dice, precision, recall of each class", what, max(classes), "score, 0 to 1")
    yield Part("IoUMetric: aAcc, mIoU, mAcc, mDice, rounded as in mmsegmentation", what, max(summaries), "percent")


def compare_masks(classes: int, missing: int) -> tuple[float, float, float]:
    """Return the largest differences of counts, of class scores, and of the summary in percent."""
    metric, ours = IoUMetric(iou_metrics=["mIoU", "mDice", "mFscore"]), ConfusionMatrix(classes)
    metric.dataset_meta = {"classes": [str(index) for index in range(classes)]}
    for predicted, reference in masks(classes, missing):
        metric.process({}, [{"pred_sem_seg": {"data": predicted}, "gt_sem_seg": {"data": reference}}])
        ours.update(predicted, reference)
    areas = [sum(column).numpy() for column in zip(*metric.results, strict=True)]
    told = metric.total_area_to_metrics(*(torch.from_numpy(each) for each in areas), metric.metrics)
    summary = metric.compute_metrics(metric.results)
    own_areas = (
        ours.true_positives,
        ours.in_reference + ours.in_prediction - ours.true_positives,
        ours.in_prediction,
        ours.in_reference,
    )
    own = {"IoU": ours.iou, "Acc": ours.accuracy, "Dice": ours.f1, "Precision": ours.precision, "Recall": ours.recall}
    means = (ours.overall_accuracy, ours.mean_iou, ours.mean_accuracy, ours.mean_f1)
    keys = ("aAcc", "mIoU", "mAcc", "mDice")
    return (
        max(gap(one, other) for one, other in zip(areas, own_areas, strict=True)),
        max(gap(told[name], score()) for name, score in own.items()),
        max(gap(summary[key], np.round(100 * mean, 2)) for key, mean in zip(keys, means, strict=True)),
    )


def masks(classes: int, missing: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield predictions (half of the pixels correct) and references (a tenth unlabeled), without the last classes."""
    generator = torch.Generator().manual_seed(classes)
    for _ in range(IMAGES):
        reference, guess = torch.randint(classes - missing, (2, 200, 300), generator=generator, dtype=torch.uint8)
        right, labelled = torch.rand(2, 200, 300, generator=generator)
        yield torch.where(right < 0.5, reference, guess), torch.where(labelled < 0.9, reference, 255)


def gap(one: ArrayLike, other: ArrayLike) -> float:
    """Return the largest difference, or infinity if the positions of NaNs differ."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return float("inf")
    return float(np.nanmax(np.abs(one - other), initial=0))
