"""Scores of masks against references, all from one table of counts that adds up over crops, scenes and machines.

Numpy alone, in chunks: comparing two masks of 10^8 pixels takes a quarter of a second and a few megabytes.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX

CHUNK = 1 << 16
"""Pixels counted at once: codes and counts of a chunk stay in the processor's cache."""
VALUES = 256
"""Values a pixel of a mask can have."""


@runtime_checkable
class TensorLike(Protocol):
    """A torch tensor, known by its behaviour: importing torch to compare two masks would take seconds."""

    def detach(self) -> Any:
        """The tensor without its history."""


class ConfusionMatrix:
    """How often each class was predicted where each class is right.

    Matrices of the same classes add up: the scores of ``a + b`` are those of all pixels together, which the mean of two
    scores is not.
    """

    classes: int
    """Number of classes."""
    counts: NDArray[np.int64]
    """Pixels by [reference, predicted] class index."""
    missed: NDArray[np.int64]
    """Pixels by reference class index where nothing was predicted (255). They count as wrong."""

    def __init__(self, classes: int) -> None:
        if not 1 <= classes <= IGNORE_INDEX:
            raise ConfigError(f"a confusion matrix has 1 to {IGNORE_INDEX} classes, not {classes}")
        self.classes = classes
        self.counts = np.zeros((classes, classes), np.int64)
        self.missed = np.zeros(classes, np.int64)

    def update(self, predicted: NDArray[Any] | TensorLike, reference: NDArray[Any] | TensorLike) -> None:
        """Counts class indices, arrays of any but the same shape.

        Pixels whose reference is 255 do not count; pixels whose prediction is 255 count as missed. Any other value that
        is no class index raises :class:`DataError`, and nothing is counted.
        """
        pairs = _pair_counts(_array("prediction", predicted), _array("reference", reference))
        _refuse_strangers("reference", pairs.sum(axis=1), self.classes)
        _refuse_strangers("prediction", pairs.sum(axis=0), self.classes)
        self.counts = self.counts + pairs[: self.classes, : self.classes]
        self.missed = self.missed + pairs[: self.classes, IGNORE_INDEX]

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        if other.classes != self.classes:
            raise DataError(f"{self.classes} and {other.classes} classes cannot be counted together")
        total = ConfusionMatrix(self.classes)
        total.counts = self.counts + other.counts
        total.missed = self.missed + other.missed
        return total

    @property
    def in_reference(self) -> NDArray[np.int64]:
        """Pixels of each class in the reference."""
        total: NDArray[np.int64] = self.counts.sum(axis=1) + self.missed
        return total

    @property
    def in_prediction(self) -> NDArray[np.int64]:
        """Pixels of each class in the prediction, where the reference is labelled."""
        total: NDArray[np.int64] = self.counts.sum(axis=0)
        return total

    @property
    def hits(self) -> NDArray[np.int64]:
        """Pixels of each class that were predicted right."""
        return self.counts.diagonal()

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class (Jaccard 1912), 0 … 1; NaN for classes that occur nowhere.

        A class that was only predicted has 0.
        """
        return ratio(self.hits, self.in_reference + self.in_prediction - self.hits)

    def f1(self) -> NDArray[np.float64]:
        """F1 (Dice 1945) of each class, 0 … 1: 2 hits / (reference + prediction); NaN for classes that occur nowhere.

        It is the harmonic mean of precision and recall, and 0 where one of them is not defined.
        """
        return ratio(2 * self.hits, self.in_reference + self.in_prediction)

    def precision(self) -> NDArray[np.float64]:
        """Share of each class's predicted pixels that are right, 0 … 1; NaN for classes never predicted."""
        return ratio(self.hits, self.in_prediction)

    def recall(self) -> NDArray[np.float64]:
        """Share of each class's reference pixels that were found, 0 … 1; NaN for classes not in the reference."""
        return ratio(self.hits, self.in_reference)

    def accuracy(self) -> NDArray[np.float64]:
        """Accuracy of each class: the same as :meth:`recall`, under the name segmentation papers use."""
        return self.recall()

    @property
    def overall_accuracy(self) -> float:
        """Share of all labelled pixels that are right, 0 … 1; NaN without any."""
        return float(ratio(self.hits.sum(keepdims=True), self.in_reference.sum(keepdims=True))[0])

    @property
    def kappa(self) -> float:
        """Agreement beyond chance (Cohen 1960), at most 1; 0 for masks as right as by chance, NaN if chance is all right.

        Pixels without a prediction are a class of their own that the reference never has.
        """
        total = int(self.in_reference.sum())
        if not total:
            return float("nan")
        # Python's whole numbers: products of pixel counts do not fit into 64 bits.
        chance = sum(int(a) * int(b) for a, b in zip(self.in_reference, self.in_prediction, strict=True))
        beyond = total * total - chance
        return (int(self.hits.sum()) * total - chance) / beyond if beyond else float("nan")

    @property
    def mean_iou(self) -> float:
        """Mean of :meth:`iou` over the classes that occur; NaN if none does."""
        return mean_of(self.iou())

    @property
    def mean_f1(self) -> float:
        """Mean of :meth:`f1` over the classes that occur; NaN if none does."""
        return mean_of(self.f1())

    @property
    def mean_accuracy(self) -> float:
        """Mean of :meth:`accuracy` over the classes in the reference; NaN if there are none."""
        return mean_of(self.accuracy())


def _array(what: str, values: NDArray[Any] | TensorLike) -> NDArray[np.integer[Any]]:
    array = values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
    if array.dtype.kind not in "iu":
        raise DataError(f"the {what} is {array.dtype}, not class indices", "take the argmax of logits first")
    return array


def _pair_counts(predicted: NDArray[np.integer[Any]], reference: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Pixels by [reference value, predicted value], shape (256, 256)."""
    if predicted.shape != reference.shape:
        raise DataError(f"a prediction of shape {predicted.shape} cannot be compared with one of {reference.shape}")
    predicted, reference = predicted.reshape(-1), reference.reshape(-1)
    counts = np.zeros(VALUES * VALUES, np.int64)
    for start in range(0, reference.size, CHUNK):
        chunk = slice(start, start + CHUNK)
        # Both values in one 16-bit number, so that one pass of bincount counts pairs.
        codes = _bytes("reference", reference[chunk]).astype(np.uint16)
        codes *= VALUES
        codes += _bytes("prediction", predicted[chunk])
        counts += np.bincount(codes, minlength=counts.size)
    return counts.reshape(VALUES, VALUES)


def _bytes(what: str, values: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    if values.dtype != np.uint8 and values.size and not 0 <= values.min() <= values.max() < VALUES:
        strangers = values[(values < 0) | (values >= VALUES)]
        raise _no_class(what, np.unique(strangers).tolist())
    return values.astype(np.uint8, copy=False)


def _refuse_strangers(what: str, pixels: NDArray[np.int64], classes: int) -> None:
    """:class:`DataError` if any pixel, counted by its 256 values, is neither a class nor the ignore index."""
    strangers = np.flatnonzero(pixels[classes:IGNORE_INDEX]) + classes
    if strangers.size:
        raise _no_class(what, strangers.tolist())


def _no_class(what: str, values: list[int]) -> DataError:
    more = " …" if len(values) > 5 else ""
    return DataError(
        f"the {what} holds {', '.join(map(str, values[:5]))}{more}, which is no class index",
        "class indices run from 0 to the number of classes less one; 255 stands for no class",
    )


def ratio(part: NDArray[Any], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Part over whole; NaN where the whole is 0."""
    shares = np.full(part.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def mean_of(scores: NDArray[np.float64]) -> float:
    """Mean of the scores that are defined; NaN if none is."""
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if defined.size else float("nan")
