"""Describe what scores do not show: pixels that do not count, a constant prediction, and classes without labels."""

from collections.abc import Iterator, Sequence

import numpy as np

from geoseg._text import join_names, percent
from geoseg.metrics.confusion_matrix import ConfusionMatrix


def describe_uncounted_pixels(counts: ConfusionMatrix) -> Iterator[str]:
    """Yield sentences with the numbers of unlabeled pixels and of labeled pixels without a prediction, if not 0."""
    labeled, missed = int(counts.in_reference.sum()), int(counts.missed.sum())
    if counts.ignored:
        total = labeled + counts.ignored
        yield f"{_part(counts.ignored, total)} pixels are not labeled and do not count"
    if missed:
        yield f"{_part(missed, labeled)} labeled pixels have no prediction and count as wrong"


def describe_constant_prediction(counts: ConfusionMatrix, names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence if the reference has several classes and one class is predicted everywhere.

    Args:
        counts: Counts of all scenes.
        names: Class names in the order of their indices.
    """
    predicted = np.flatnonzero(counts.in_prediction)
    classes = int(np.count_nonzero(counts.in_reference))
    if len(predicted) == 1 and classes > 1:
        yield f"the prediction is {names[predicted[0]]} everywhere; the reference has {classes} classes"


def describe_unlabeled_classes(pixels: Sequence[int], names: Sequence[str], source: str) -> Iterator[str]:
    """Yield a sentence if some classes have no labeled pixels.

    Args:
        pixels: Labeled pixels of each class.
        names: Class names in the order of their indices.
        source: Description of where the labels come from; the subject of the sentence.
    """
    absent = [name for name, count in zip(names, pixels, strict=True) if not count]
    if absent:
        yield f"{source} has no labeled pixel of {join_names(absent)}"


def _part(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({percent(part / whole)}%)"
