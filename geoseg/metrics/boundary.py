"""How well borders between classes are met, within a tolerance in metres.

*Boundary IoU* (Cheng et al. 2021) is IoU of what of each class lies within the tolerance of its own border, so that large
areas do not hide ragged edges. *Boundary F1* (Csurka et al. 2013) asks which border pixels of one mask have one of the
same class in the other within the tolerance.

A border is where two known classes meet. Where the reference says nothing, and at the scene's edge, there is none: labels
with eroded borders have no borders to score. Distances are between centres of pixels.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.legend import IGNORE_INDEX
from geoseg.metrics.confusion_matrix import ratio

SLACK = 0.005
"""Part of the tolerance that is added to it: maps stretch, and two pixels of half a metre shall be within one metre."""
MISSED = 254
"""Stands for "labelled, but not predicted": no class of the reference, yet known to be none."""

Mask = NDArray[np.uint8]
Offsets = NDArray[np.int64]


@dataclass
class BoundaryCounts:
    """Pixels per class near borders; counts of strips and scenes add up."""

    both: NDArray[np.int64]
    """Within the tolerance of their class's border in both masks, and of the same class in both."""
    predicted: NDArray[np.int64]
    """In the prediction."""
    reference: NDArray[np.int64]
    """In the reference."""
    border_predicted: NDArray[np.int64]
    """Border pixels of the prediction …"""
    border_right: NDArray[np.int64]
    """… and those of them that are near a border pixel of the reference."""
    border_reference: NDArray[np.int64]
    """Border pixels of the reference …"""
    border_found: NDArray[np.int64]
    """… and those of them that are near a border pixel of the prediction."""

    @classmethod
    def none(cls, classes: int) -> Self:
        """Nothing counted yet."""
        return cls(*(np.zeros(classes, np.int64) for _ in range(7)))

    def __add__(self, other: "BoundaryCounts") -> "BoundaryCounts":
        mine, its = vars(self).values(), vars(other).values()
        return BoundaryCounts(*(a + b for a, b in zip(mine, its, strict=True)))

    def iou(self) -> NDArray[np.float64]:
        """Boundary IoU of each class, 0 … 1; NaN for classes without a border."""
        return ratio(self.both, self.predicted + self.reference - self.both)

    def precision(self) -> NDArray[np.float64]:
        """Share of each class's predicted border that is right; NaN without one."""
        return ratio(self.border_right, self.border_predicted)

    def recall(self) -> NDArray[np.float64]:
        """Share of each class's true border that was found; NaN without one."""
        return ratio(self.border_found, self.border_reference)

    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall: 0 where only one mask has a border, NaN where none has."""
        precision, recall = (np.nan_to_num(score) for score in (self.precision(), self.recall()))
        there = self.border_predicted + self.border_reference > 0
        total = precision + recall
        score = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
        return np.where(there, score, np.nan)


def offsets_within(tolerance_m: float, pixel_m: tuple[float, float]) -> Offsets:
    """(row, col) steps (step, 2) to pixels no further than the tolerance, nearest first; ``pixel_m`` is (height, width).

    The pixel itself is not among them; the nearest neighbours always are, however small the tolerance.
    """
    tolerance_m *= 1 + SLACK
    reach = [max(int(tolerance_m / side), 1) for side in pixel_m]
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 2)
    metres = np.hypot(*(steps * pixel_m).T)
    beside = np.abs(steps).sum(axis=1) == 1
    chosen = ((metres <= tolerance_m) | beside) & (metres > 0)
    order = np.argsort(metres[chosen], kind="stable")
    return np.ascontiguousarray(steps[chosen][order], np.int64)


def count_boundaries(
    predicted: Mask, reference: Mask, offsets: Offsets, classes: int, inside: tuple[slice, slice]
) -> BoundaryCounts:
    """Counts of the pixels ``inside``; around them, masks reach as far as the ``offsets`` or to the scene's edge.

    Class indices (row, col), 255 = not labelled or not predicted.
    """
    known = reference != IGNORE_INDEX
    missed = np.where(predicted == IGNORE_INDEX, np.uint8(MISSED), predicted)
    masks = [np.where(known, missed, np.uint8(IGNORE_INDEX)), reference]
    bands = [_near_another(mask, offsets) for mask in masks]
    borders = [_border(mask) for mask in masks]
    near = [_near_same(masks[i], borders[i], masks[1 - i], borders[1 - i], offsets) for i in (0, 1)]
    same = bands[0] & bands[1] & (masks[0] == masks[1])

    def per_class(mask: Mask, where: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(mask[inside][where[inside]], minlength=256)[:classes]

    return BoundaryCounts(
        both=per_class(reference, same),
        predicted=per_class(masks[0], bands[0]),
        reference=per_class(reference, bands[1]),
        border_predicted=per_class(masks[0], borders[0]),
        border_right=per_class(masks[0], near[0]),
        border_reference=per_class(reference, borders[1]),
        border_found=per_class(reference, near[1]),
    )


def _border(mask: Mask) -> NDArray[np.bool_]:
    """Pixels with a neighbour, above, below, left or right, of another known class."""
    found = np.zeros(mask.shape, np.bool_)
    known = mask != IGNORE_INDEX
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = (mask[one] != mask[other]) & known[one] & known[other]
        found[one] |= differ
        found[other] |= differ
    return found


@compiled
def _near_another(mask: Mask, offsets: Offsets) -> NDArray[np.bool_]:
    """Known pixels with a pixel of another known class within the offsets.

    The nearest one has a neighbour that is not of its class, so it is enough to look around from such pixels.
    """
    height, width = mask.shape
    found = np.zeros(mask.shape, np.bool_)
    for i in range(height):
        for j in range(width):
            own = mask[i, j]
            if own == IGNORE_INDEX:
                continue
            inner = (i == 0 or mask[i - 1, j] == own) and (i == height - 1 or mask[i + 1, j] == own)
            if inner and (j == 0 or mask[i, j - 1] == own) and (j == width - 1 or mask[i, j + 1] == own):
                continue
            for k in range(len(offsets)):
                row, col = i + offsets[k, 0], j + offsets[k, 1]
                if 0 <= row < height and 0 <= col < width and mask[row, col] != own:
                    found[row, col] |= mask[row, col] != IGNORE_INDEX
    return found


@compiled
def _near_same(
    mask: Mask, border: NDArray[np.bool_], other: Mask, its_border: NDArray[np.bool_], offsets: Offsets
) -> NDArray[np.bool_]:
    """Border pixels that have a border pixel of the same class in the other mask, at their place or within the offsets."""
    height, width = mask.shape
    found = np.zeros(mask.shape, np.bool_)
    for i in range(height):
        for j in range(width):
            if not border[i, j]:
                continue
            own = mask[i, j]
            if its_border[i, j] and other[i, j] == own:
                found[i, j] = True
                continue
            for k in range(len(offsets)):
                row, col = i + offsets[k, 0], j + offsets[k, 1]
                if 0 <= row < height and 0 <= col < width and its_border[row, col] and other[row, col] == own:
                    found[i, j] = True
                    break
    return found
