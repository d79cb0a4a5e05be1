"""Count predicted and reference objects, such as buildings, and how many of them match.

An object is a 4-connected region of one class. A predicted and a reference object of the same class match if their IoU
is above 0.5, as in the SpaceNet building challenges. No object can then match more than one other (Kirillov et al.
2019, "Panoptic Segmentation"). Unlabeled pixels belong to no reference object and are excluded from predicted objects;
an object that consists only of such pixels is not counted.

Masks are processed strip by strip: labels continue from strip to strip, and memory grows with the number of objects,
not with the number of pixels.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import IGNORE_INDEX
from geoseg.metrics.confusion_matrix import divide
from geoseg.vector.tracing.connected_components import label_block, unite_pairs
from geoseg.vector.tracing.ragged_arrays import IntArray

MATCH_IOU = 0.5
"""Objects match if their IoU is above this value."""

Mask = NDArray[np.uint8]


@dataclass
class ObjectCounts:
    """Object counts per class; counts of several scenes can be added."""

    matched: NDArray[np.int64]
    """Number of matching pairs of a predicted and a reference object."""
    predicted: NDArray[np.int64]
    """Number of predicted objects."""
    reference: NDArray[np.int64]
    """Number of reference objects."""
    iou_sum: NDArray[np.float64]
    """Sum of the IoUs of the matched pairs."""

    @classmethod
    def zeros(cls, classes: int) -> Self:
        """Return counts of zero for the given number of classes."""
        zeros = np.zeros(classes, np.int64)
        return cls(zeros, zeros, zeros, np.zeros(classes))

    def __add__(self, other: "ObjectCounts") -> "ObjectCounts":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return ObjectCounts(*(a + b for a, b in pairs))

    def precision(self) -> NDArray[np.float64]:
        """Return the fraction of each class's predicted objects that match; NaN if there are none."""
        return divide(self.matched, self.predicted)

    def recall(self) -> NDArray[np.float64]:
        """Return the fraction of each class's reference objects that match; NaN if there are none."""
        return divide(self.matched, self.reference)

    def f1(self) -> NDArray[np.float64]:
        """Return ``2 * matched / (predicted + reference)`` for each class; NaN if there are no objects."""
        return divide(2 * self.matched, self.predicted + self.reference)

    def mean_iou(self) -> NDArray[np.float64]:
        """Return the mean IoU of the matched pairs of each class; NaN if there are none."""
        return divide(self.iou_sum, self.matched)


class ObjectCounter:
    """Counter for the objects of selected classes in one scene; takes full-width strips from top to bottom."""

    def __init__(self, classes: int, selected: Collection[int]) -> None:
        """Initialize the counter with no strips; ``selected`` contains class indices."""
        self.classes, self.selected = classes, list(selected)
        self._predicted, self._reference = _RegionLabeler(), _RegionLabeler()
        self._pairs: list[IntArray] = []  # (predicted label, reference label, pixels)

    def update(self, predicted: Mask, reference: Mask) -> None:
        """Add the next strip of class indices (row, col); 255 means no class."""
        known = reference != IGNORE_INDEX
        predicted_label = self._predicted.add(self._keep_selected(predicted), known)
        reference_label = self._reference.add(self._keep_selected(reference), known)
        both = (predicted_label > 0) & (reference_label > 0) & (predicted == reference)
        if both.any():
            labels = np.stack([predicted_label[both], reference_label[both]])
            pairs, pixels = np.unique(labels, axis=1, return_counts=True)
            self._pairs.append(np.vstack([pairs, pixels]))

    def finish(self) -> ObjectCounts:
        """Return the counts after the last strip."""
        predicted, reference = self._predicted.finish(), self._reference.finish()
        counts = ObjectCounts.zeros(self.classes)
        counts.predicted = np.bincount(predicted.class_index[predicted.pixels > 0], minlength=self.classes)
        counts.reference = np.bincount(reference.class_index[reference.pixels > 0], minlength=self.classes)
        if self._pairs:
            predicted_label, reference_label, pixels = np.concatenate(self._pairs, axis=1)
            regions = np.stack([predicted.region[predicted_label], reference.region[reference_label]])
            pairs, position = np.unique(regions, axis=1, return_inverse=True)
            shared = np.bincount(position.reshape(-1), pixels)
            iou = shared / (predicted.pixels[pairs[0]] + reference.pixels[pairs[1]] - shared)
            is_match = iou > MATCH_IOU
            class_index = predicted.class_index[pairs[0]][is_match]
            counts.matched = np.bincount(class_index, minlength=self.classes)
            counts.iou_sum = np.bincount(class_index, iou[is_match], self.classes).astype(np.float64)
        return counts

    def _keep_selected(self, mask: Mask) -> Mask:
        return np.where(np.isin(mask, self.selected), mask, np.uint8(IGNORE_INDEX))


@dataclass(frozen=True)
class _Regions:
    """The connected regions of a whole mask."""

    region: IntArray
    """The region that each label belongs to."""
    pixels: IntArray
    """Number of known pixels in each region; 0 for labels that do not represent a region."""
    class_index: IntArray
    """Class of each region."""


class _RegionLabeler:
    """Labels the regions of one mask strip by strip, starting at 1."""

    def __init__(self) -> None:
        self._count = 1
        self._parents = [np.zeros(1, np.int64)]
        self._touching: list[IntArray] = []
        self._pixels = [np.zeros(1, np.int64)]
        self._class = [np.zeros(1, np.int64)]
        self._last_row: tuple[Mask, IntArray] | None = None

    def add(self, strip: Mask, known: NDArray[np.bool_]) -> IntArray:
        """Return the region labels (row, col) of the next strip, 0 where the strip is 255. Only ``known`` pixels count
        toward region size.
        """
        block = np.full((strip.shape[0], strip.shape[1] + 1), IGNORE_INDEX, np.int32)
        block[:, 1:] = strip
        strip_labels, parents = label_block(block, IGNORE_INDEX)
        shift = self._count - 1
        labels = np.where(strip_labels > 0, strip_labels + np.int64(shift), 0)[:, 1:]
        self._parents.append(parents[1:] + shift)
        self._count += len(parents) - 1
        self._pixels.append(np.bincount(strip_labels[:, 1:][known], minlength=len(parents))[1:])
        classes = np.zeros(len(parents), np.int64)
        classes[strip_labels.ravel()] = block.ravel()
        self._class.append(classes[1:])
        self._connect(strip, labels)
        return labels

    def _connect(self, strip: Mask, labels: IntArray) -> None:
        """Record which labels continue from the previous strip."""
        if self._last_row is not None:
            row, above = self._last_row
            touching = (row == strip[0]) & (above > 0)
            self._touching.append(np.stack([above[touching], labels[0][touching]]))
        self._last_row = strip[-1].copy(), labels[-1].copy()

    def finish(self) -> _Regions:
        """Merge the labels of regions that continue across strips."""
        pairs = np.concatenate([np.zeros((2, 0), np.int64), *self._touching], axis=1)
        roots = unite_pairs(np.concatenate(self._parents), pairs[0].copy(), pairs[1].copy())
        pixels = np.bincount(roots, np.concatenate(self._pixels), len(roots)).astype(np.int64)
        return _Regions(roots, pixels, np.concatenate(self._class))
