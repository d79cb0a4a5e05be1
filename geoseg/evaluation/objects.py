"""How many things of a class were found: buildings, say, counted rather than measured in pixels.

An object is a 4-connected region of one class. A predicted and a true object of the same class match where their IoU is
above one half, as in SpaceNet's building contests; no object can match two then (Kirillov et al. 2019, "Panoptic
Segmentation"). Pixels without a label belong to no true object and shrink predicted ones; an object that lies on such
pixels alone does not count.

Masks come strip by strip: labels go on from strip to strip, and what memory holds grows with the number of objects, not
with the number of pixels.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import IGNORE_INDEX
from geoseg.metrics.confusion_matrix import ratio
from geoseg.vector.tracing.connected_components import Integers, label_block, unite_pairs

MATCH = 0.5
"""Objects match above this IoU."""

Mask = NDArray[np.uint8]


@dataclass
class ObjectCounts:
    """Objects per class; counts of scenes add up."""

    matched: NDArray[np.int64]
    """Pairs of a predicted and a true object."""
    predicted: NDArray[np.int64]
    """Predicted objects."""
    reference: NDArray[np.int64]
    """True objects."""
    iou_sum: NDArray[np.float64]
    """IoU of the matched pairs, added up."""

    @classmethod
    def none(cls, classes: int) -> Self:
        """Nothing counted yet."""
        zeros = np.zeros(classes, np.int64)
        return cls(zeros, zeros, zeros, np.zeros(classes))

    def __add__(self, other: "ObjectCounts") -> "ObjectCounts":
        mine, its = vars(self).values(), vars(other).values()
        return ObjectCounts(*(a + b for a, b in zip(mine, its, strict=True)))

    def precision(self) -> NDArray[np.float64]:
        """Share of each class's predicted objects that match; NaN without any."""
        return ratio(self.matched, self.predicted)

    def recall(self) -> NDArray[np.float64]:
        """Share of each class's true objects that were found; NaN without any."""
        return ratio(self.matched, self.reference)

    def f1(self) -> NDArray[np.float64]:
        """2 matched / (predicted + true objects) of each class; NaN where there are none of either."""
        return ratio(2 * self.matched, self.predicted + self.reference)

    def mean_iou(self) -> NDArray[np.float64]:
        """Mean IoU of the matched pairs of each class; NaN without any."""
        return ratio(self.iou_sum, self.matched)


class ObjectCounter:
    """Counts the objects of some classes in one scene, from strips of full width, top to bottom."""

    def __init__(self, classes: int, chosen: Collection[int]) -> None:
        self.classes, self.chosen = classes, list(chosen)
        self._predicted, self._reference = _Regions(), _Regions()
        self._pairs: list[Integers] = []  # (predicted label, true label, pixels)

    def update(self, predicted: Mask, reference: Mask) -> None:
        """Takes the next strip of class indices (row, col), 255 = none."""
        known = reference != IGNORE_INDEX
        mine = self._predicted.add(self._only_chosen(predicted), known)
        its = self._reference.add(self._only_chosen(reference), known)
        both = (mine > 0) & (its > 0) & (predicted == reference)
        if both.any():
            pairs, pixels = np.unique(np.stack([mine[both], its[both]]), axis=1, return_counts=True)
            self._pairs.append(np.vstack([pairs, pixels]))

    def finish(self) -> ObjectCounts:
        """The counts, once every strip was taken."""
        mine, my_pixels, my_class = self._predicted.finish()
        its, its_pixels, its_class = self._reference.finish()
        counts = ObjectCounts.none(self.classes)
        counts.predicted = np.bincount(my_class[my_pixels > 0], minlength=self.classes)
        counts.reference = np.bincount(its_class[its_pixels > 0], minlength=self.classes)
        if self._pairs:
            one, other, pixels = np.concatenate(self._pairs, axis=1)
            pairs, place = np.unique(np.stack([mine[one], its[other]]), axis=1, return_inverse=True)
            shared = np.bincount(place.reshape(-1), pixels)
            iou = shared / (my_pixels[pairs[0]] + its_pixels[pairs[1]] - shared)
            match = iou > MATCH
            owner = my_class[pairs[0]][match]
            counts.matched = np.bincount(owner, minlength=self.classes)
            counts.iou_sum = np.bincount(owner, iou[match], self.classes).astype(np.float64)
        return counts

    def _only_chosen(self, mask: Mask) -> Mask:
        return np.where(np.isin(mask, self.chosen), mask, np.uint8(IGNORE_INDEX))


class _Regions:
    """The regions of one mask, labelled from 1 on while strips pass."""

    def __init__(self) -> None:
        self._count = 1
        self._parents = [np.zeros(1, np.int64)]
        self._touching: list[Integers] = []
        self._pixels = [np.zeros(1, np.int64)]
        self._class = [np.zeros(1, np.int64)]
        self._last: tuple[Mask, Integers] | None = None

    def add(self, strip: Mask, known: NDArray[np.bool_]) -> Integers:
        """Labels (row, col) of the next strip, 0 where it is 255; ``known`` pixels make up an object's size."""
        block = np.full((strip.shape[0], strip.shape[1] + 1), IGNORE_INDEX, np.int32)
        block[:, 1:] = strip
        own, parents = label_block(block, IGNORE_INDEX)
        shift = self._count - 1
        labels = np.where(own > 0, own + np.int64(shift), 0)[:, 1:]
        self._parents.append(parents[1:] + shift)
        self._count += len(parents) - 1
        self._pixels.append(np.bincount(own[:, 1:][known], minlength=len(parents))[1:])
        classes = np.zeros(len(parents), np.int64)
        classes[own.ravel()] = block.ravel()
        self._class.append(classes[1:])
        self._join(strip, labels)
        return labels

    def _join(self, strip: Mask, labels: Integers) -> None:
        """Notes which labels go on from the strip before."""
        if self._last is not None:
            row, above = self._last
            touch = (row == strip[0]) & (above > 0)
            self._touching.append(np.stack([above[touch], labels[0][touch]]))
        self._last = strip[-1].copy(), labels[-1].copy()

    def finish(self) -> tuple[Integers, Integers, Integers]:
        """By label: the region it belongs to; by region: pixels (0 for labels that are none), class index."""
        pairs = np.concatenate([np.zeros((2, 0), np.int64), *self._touching], axis=1)
        roots = unite_pairs(np.concatenate(self._parents), pairs[0].copy(), pairs[1].copy())
        pixels = np.bincount(roots, np.concatenate(self._pixels), len(roots)).astype(np.int64)
        return roots, pixels, np.concatenate(self._class)
