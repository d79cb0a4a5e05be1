"""Boundary metrics with a distance tolerance in meters.

*Boundary IoU* (Cheng et al. 2021) is the IoU over the pixels of each class that are within the tolerance of its
border, so that large areas do not hide errors at edges. *Boundary F1* (Csurka et al. 2013) matches border pixels of one
mask with border pixels of the same class in the other mask within the tolerance.

A border is where two labeled classes meet. Unlabeled pixels and the edge of the scene are not borders, so labels in
which all pixels along borders are unlabeled have no borders. Distances are between pixel centers.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.legend import IGNORE_INDEX
from geoseg.metrics.confusion_matrix import divide

TOLERANCE_SLACK = 0.005
"""Relative increase of the tolerance, so that a distance of two 0.5 m pixels is within 1 m despite map distortion."""
NOT_PREDICTED = 254
"""Value of labeled pixels without a prediction; it matches no reference class, so these pixels count as wrong."""

Mask = NDArray[np.uint8]
Offsets = NDArray[np.int64]


@dataclass
class BoundaryCounts:
    """Number of pixels near borders, per class. Counts from different strips and scenes can be added."""

    both: NDArray[np.int64]
    """Pixels that have the same class in both masks and are within the tolerance of a border of that class in both."""
    predicted: NDArray[np.int64]
    """Pixels within the tolerance of a border of their class in the prediction."""
    reference: NDArray[np.int64]
    """Pixels within the tolerance of a border of their class in the reference."""
    border_predicted: NDArray[np.int64]
    """Border pixels of the prediction."""
    border_right: NDArray[np.int64]
    """Border pixels of the prediction that match a border pixel of the reference."""
    border_reference: NDArray[np.int64]
    """Border pixels of the reference."""
    border_found: NDArray[np.int64]
    """Border pixels of the reference that match a border pixel of the prediction."""

    @classmethod
    def none(cls, classes: int) -> Self:
        """Create counts that are all 0."""
        return cls(*(np.zeros(classes, np.int64) for _ in range(7)))

    def __add__(self, other: "BoundaryCounts") -> "BoundaryCounts":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return BoundaryCounts(*(a + b for a, b in pairs))

    def iou(self) -> NDArray[np.float64]:
        """Compute the boundary IoU of each class, 0 to 1; NaN for classes without a border."""
        return divide(self.both, self.predicted + self.reference - self.both)

    def precision(self) -> NDArray[np.float64]:
        """Compute the fraction of predicted border pixels that are correct, per class; NaN if there are none."""
        return divide(self.border_right, self.border_predicted)

    def recall(self) -> NDArray[np.float64]:
        """Compute the fraction of reference border pixels that are found, per class; NaN if there are none."""
        return divide(self.border_found, self.border_reference)

    def f1(self) -> NDArray[np.float64]:
        """Compute the boundary F1 of each class; 0 if only one mask has a border, NaN if neither has one."""
        precision, recall = (np.nan_to_num(score) for score in (self.precision(), self.recall()))
        has_border = self.border_predicted + self.border_reference > 0
        total = precision + recall
        score = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
        return np.where(has_border, score, np.nan)


def offsets_within(tolerance_m: float, pixel_m: tuple[float, float]) -> Offsets:
    """Return the offsets from a pixel to all pixels within a tolerance.

    Args:
        tolerance_m: Tolerance in meters.
        pixel_m: Height and width of a pixel in meters.

    Returns:
        Array of (row, col) offsets, shape (offset, 2), nearest first, without (0, 0). The four direct neighbors are
        always included.
    """
    tolerance_m *= 1 + TOLERANCE_SLACK
    reach = [max(int(tolerance_m / side), 1) for side in pixel_m]
    steps = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 2)
    meters = np.hypot(*(steps * pixel_m).T)
    is_neighbor = np.abs(steps).sum(axis=1) == 1
    is_within = ((meters <= tolerance_m) | is_neighbor) & (meters > 0)
    order = np.argsort(meters[is_within], kind="stable")
    return np.ascontiguousarray(steps[is_within][order], np.int64)


def count_boundaries(
    predicted: Mask, reference: Mask, offsets: Offsets, classes: int, inside: tuple[slice, slice]
) -> BoundaryCounts:
    """Count boundary pixels in a window of two masks.

    Args:
        predicted: Predicted class indices (row, col); 255 = not predicted.
        reference: Reference class indices (row, col); 255 = not labeled.
        offsets: Offsets within the tolerance, from :func:`offsets_within`.
        classes: Number of classes.
        inside: Rows and columns to count. The masks must extend beyond them by the largest offset, or to the edge of
            the scene.
    """
    known = reference != IGNORE_INDEX
    missed = np.where(predicted == IGNORE_INDEX, np.uint8(NOT_PREDICTED), predicted)
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
    """Find labeled pixels that have a labeled direct neighbor of a different class."""
    found = np.zeros(mask.shape, np.bool_)
    known = mask != IGNORE_INDEX
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = (mask[one] != mask[other]) & known[one] & known[other]
        found[one] |= differ
        found[other] |= differ
    return found


@njit
def _near_another(mask: Mask, offsets: Offsets) -> NDArray[np.bool_]:
    """Find labeled pixels that have a labeled pixel of a different class at one of the given offsets.

    The nearest pixel of a different class always has a direct neighbor with a different value, so it is sufficient to
    search from pixels that have such a neighbor.
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


@njit
def _near_same(
    mask: Mask, border: NDArray[np.bool_], other: Mask, other_border: NDArray[np.bool_], offsets: Offsets
) -> NDArray[np.bool_]:
    """Find border pixels that have a border pixel of the same class in the other mask, at the same position or an offset."""
    height, width = mask.shape
    found = np.zeros(mask.shape, np.bool_)
    for i in range(height):
        for j in range(width):
            if not border[i, j]:
                continue
            own = mask[i, j]
            if other_border[i, j] and other[i, j] == own:
                found[i, j] = True
                continue
            for k in range(len(offsets)):
                row, col = i + offsets[k, 0], j + offsets[k, 1]
                if 0 <= row < height and 0 <= col < width and other_border[row, col] and other[row, col] == own:
                    found[i, j] = True
                    break
    return found
