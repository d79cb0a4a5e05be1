"""Confusion matrix between a mask and its reference, with per-class and overall scores.

Matrices from different crops, scenes and machines can be added. They are computed in chunks with NumPy: two masks of
10^8 pixels take a quarter of a second and a few megabytes of memory.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, DataError
from geoseg.legend import IGNORE_INDEX

CHUNK_PIXELS = 1 << 16
"""Pixels per chunk; the codes and counts of a chunk fit in the processor cache."""
PIXEL_VALUES = 256
"""Number of possible values of a mask pixel."""


@runtime_checkable
class TensorLike(Protocol):
    """Protocol for torch tensors, so that comparing masks does not require importing torch."""

    def detach(self) -> Any:
        """Return the tensor without its gradient history."""


class ConfusionMatrix:
    """Number of pixels by reference and predicted class.

    Matrices with the same classes can be added: the scores of ``a + b`` are the scores over all pixels of both.

    Args:
        classes: Number of classes, 1 to 255.

    Example:
        >>> import numpy as np
        >>> counts = ConfusionMatrix(2)
        >>> counts.update(predicted=np.array([0, 1, 1, 1]), reference=np.array([0, 1, 0, 255]))
        >>> counts.counts.tolist()
        [[1, 1], [0, 1]]
        >>> counts.mean_iou
        0.5
    """

    classes: int
    """Number of classes."""
    counts: NDArray[np.int64]
    """Number of pixels, indexed by [reference, predicted] class index."""
    missed: NDArray[np.int64]
    """Number of labeled pixels without a prediction (255), by reference class index. They count as wrong."""
    ignored: int
    """Number of pixels whose reference is 255 (not labeled). They do not count toward any score."""

    def __init__(self, classes: int) -> None:
        if not 1 <= classes <= IGNORE_INDEX:
            raise ConfigError(f"a confusion matrix has 1 to {IGNORE_INDEX} classes, not {classes}")
        self.classes = classes
        self.counts = np.zeros((classes, classes), np.int64)
        self.missed = np.zeros(classes, np.int64)
        self.ignored = 0

    def update(self, predicted: NDArray[Any] | TensorLike, reference: NDArray[Any] | TensorLike) -> None:
        """Count pixels.

        Args:
            predicted: Class indices; 255 (no prediction) counts as wrong.
            reference: Class indices with the same shape; pixels with the value 255 (not labeled) are ignored.

        Raises:
            DataError: If shapes differ, or a value is neither a class index nor 255. In this case, nothing is counted.
        """
        pairs = _pair_counts(_array("prediction", predicted), _array("reference", reference))
        _require_class_indices("reference", pairs.sum(axis=1), self.classes)
        _require_class_indices("prediction", pairs.sum(axis=0), self.classes)
        self.counts = self.counts + pairs[: self.classes, : self.classes]
        self.missed = self.missed + pairs[: self.classes, IGNORE_INDEX]
        self.ignored += int(pairs[IGNORE_INDEX].sum())

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        if other.classes != self.classes:
            raise DataError(f"cannot add confusion matrices of {self.classes} and {other.classes} classes")
        total = ConfusionMatrix(self.classes)
        total.counts = self.counts + other.counts
        total.missed = self.missed + other.missed
        total.ignored = self.ignored + other.ignored
        return total

    @property
    def in_reference(self) -> NDArray[np.int64]:
        """Number of pixels of each class in the reference."""
        total: NDArray[np.int64] = self.counts.sum(axis=1) + self.missed
        return total

    @property
    def in_prediction(self) -> NDArray[np.int64]:
        """Number of pixels of each class in the prediction, where the reference is labeled."""
        total: NDArray[np.int64] = self.counts.sum(axis=0)
        return total

    @property
    def true_positives(self) -> NDArray[np.int64]:
        """Number of correctly predicted pixels of each class."""
        return self.counts.diagonal()

    def iou(self) -> NDArray[np.float64]:
        """Compute the intersection over union (Jaccard 1912) of each class, 0 to 1; NaN for classes that do not occur.

        A class that occurs only in the prediction has an IoU of 0.
        """
        return divide(self.true_positives, self.in_reference + self.in_prediction - self.true_positives)

    def f1(self) -> NDArray[np.float64]:
        """Compute F1 (Dice 1945) of each class, 2 TP / (reference + prediction); NaN for classes that do not occur.

        It is the harmonic mean of precision and recall, and 0 if one of them is undefined.
        """
        return divide(2 * self.true_positives, self.in_reference + self.in_prediction)

    def precision(self) -> NDArray[np.float64]:
        """Compute the fraction of predicted pixels that are correct, per class; NaN for classes not predicted."""
        return divide(self.true_positives, self.in_prediction)

    def recall(self) -> NDArray[np.float64]:
        """Compute the fraction of reference pixels that are found, per class; NaN for classes not in the reference."""
        return divide(self.true_positives, self.in_reference)

    def accuracy(self) -> NDArray[np.float64]:
        """Compute the accuracy of each class, which is what segmentation papers call :meth:`recall`."""
        return self.recall()

    @property
    def overall_accuracy(self) -> float:
        """Fraction of labeled pixels that are correct, 0 to 1; NaN if there are none."""
        return float(divide(self.true_positives.sum(keepdims=True), self.in_reference.sum(keepdims=True))[0])

    @property
    def kappa(self) -> float:
        """Cohen's kappa (Cohen 1960): agreement beyond chance, at most 1; NaN if chance agreement is perfect.

        Pixels without a prediction count as a separate class that does not occur in the reference.
        """
        total = int(self.in_reference.sum())
        if not total:
            return float("nan")
        # Python integers: products of pixel counts exceed 64 bits.
        chance = sum(int(a) * int(b) for a, b in zip(self.in_reference, self.in_prediction, strict=True))
        beyond = total * total - chance
        return (int(self.true_positives.sum()) * total - chance) / beyond if beyond else float("nan")

    @property
    def mean_iou(self) -> float:
        """Mean of :meth:`iou` over the classes that occur; NaN if there are none."""
        return nanmean(self.iou())

    @property
    def mean_f1(self) -> float:
        """Mean of :meth:`f1` over the classes that occur; NaN if there are none."""
        return nanmean(self.f1())

    @property
    def mean_accuracy(self) -> float:
        """Mean of :meth:`accuracy` over the classes in the reference; NaN if there are none."""
        return nanmean(self.accuracy())


def _array(what: str, values: NDArray[Any] | TensorLike) -> NDArray[np.integer[Any]]:
    array = values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()
    if array.dtype.kind not in "iu":
        raise DataError(f"the {what} is {array.dtype}, not class indices", "pass the argmax of logits")
    return array


def _pair_counts(predicted: NDArray[np.integer[Any]], reference: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Count pixels by [reference value, predicted value], shape (256, 256)."""
    if predicted.shape != reference.shape:
        raise DataError(f"shapes differ: prediction {predicted.shape}, reference {reference.shape}")
    predicted, reference = predicted.reshape(-1), reference.reshape(-1)
    counts = np.zeros(PIXEL_VALUES * PIXEL_VALUES, np.int64)
    for start in range(0, reference.size, CHUNK_PIXELS):
        chunk = slice(start, start + CHUNK_PIXELS)
        # Both values are combined into one 16-bit number, so that a single bincount counts the pairs.
        codes = _bytes("reference", reference[chunk]).astype(np.uint16)
        codes *= PIXEL_VALUES
        codes += _bytes("prediction", predicted[chunk])
        counts += np.bincount(codes, minlength=counts.size)
    return counts.reshape(PIXEL_VALUES, PIXEL_VALUES)


def _bytes(what: str, values: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    if values.dtype != np.uint8 and values.size and not 0 <= values.min() <= values.max() < PIXEL_VALUES:
        invalid = values[(values < 0) | (values >= PIXEL_VALUES)]
        raise _invalid_values(what, np.unique(invalid).tolist())
    return values.astype(np.uint8, copy=False)


def _require_class_indices(what: str, pixels: NDArray[np.int64], classes: int) -> None:
    """Raise :class:`DataError` if a value is neither a class index nor the ignore index; ``pixels`` counts each value."""
    invalid = np.flatnonzero(pixels[classes:IGNORE_INDEX]) + classes
    if invalid.size:
        raise _invalid_values(what, invalid.tolist())


def _invalid_values(what: str, values: list[int]) -> DataError:
    more = " …" if len(values) > 5 else ""
    return DataError(
        f"the {what} contains {', '.join(map(str, values[:5]))}{more}, which is not a valid class index",
        "class indices range from 0 to the number of classes - 1; 255 means no class",
    )


def divide(part: NDArray[Any], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide elementwise; NaN where the divisor is 0."""
    shares = np.full(part.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def nanmean(scores: NDArray[np.float64]) -> float:
    """Return the mean of the defined scores; NaN if there are none."""
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if defined.size else float("nan")
