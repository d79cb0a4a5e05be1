"""Tests of boundary scores, with distances of scipy as the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import distance_transform_edt

from geoseg.metrics.boundary import BoundaryCounts, count_boundaries, offsets_within

CLASSES = 3
PIXEL = (0.5, 0.8)
values = st.sampled_from([0, 0, 0, 1, 1, 2, 255])
pairs = arrays.arrays(np.uint8, st.tuples(st.just(2), st.integers(1, 12), st.integers(1, 12)), elements=values)
tolerances = st.sampled_from([0.5, 0.8, 1.0, 1.7, 2.5])


def counted(predicted, reference, tolerance: float, pixel=PIXEL) -> BoundaryCounts:
    everything = (slice(None), slice(None))
    return count_boundaries(predicted, reference, offsets_within(tolerance, pixel), CLASSES, everything)


def same(one: BoundaryCounts, other: BoundaryCounts) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def by_distance(mask, known, tolerance: float) -> np.ndarray:
    """Known pixels no further than the tolerance from a known pixel of another value (scipy)."""
    near = np.zeros(mask.shape, bool)
    for value in np.unique(mask[known]):
        others = known & (mask != value)
        if others.any():
            reached = distance_transform_edt(~others, sampling=PIXEL) <= tolerance + 1e-6
            near |= (mask == value) & known & reached
    return near


@given(pairs, st.sampled_from([0.8, 1.0, 1.7, 2.5]))
def test_bands_along_borders_equal_scipy_distances(pair, tolerance) -> None:
    predicted, reference = pair
    known = reference != 255
    mine = np.where(predicted == 255, 254, predicted)
    band, true_band = by_distance(mine, known, tolerance), by_distance(reference, known, tolerance)
    counts = counted(predicted, reference, tolerance)
    for c in range(CLASSES):
        assert counts.predicted[c] == (band & (predicted == c)).sum()
        assert counts.reference[c] == (true_band & (reference == c)).sum()
        assert counts.both[c] == (band & true_band & (predicted == c) & (reference == c)).sum()


@given(pairs, tolerances)
def test_swapping_masks_swaps_precision_and_recall(pair, tolerance) -> None:
    one, other = np.where(pair == 255, np.uint8(0), pair)
    there, back = counted(one, other, tolerance), counted(other, one, tolerance)
    np.testing.assert_array_equal(there.iou(), back.iou())
    np.testing.assert_array_equal(there.precision(), back.recall())
    np.testing.assert_array_equal(there.f1(), back.f1())


@given(pairs, st.integers(0, 12), tolerances)
def test_counts_do_not_depend_on_tiling(pair, row, tolerance) -> None:
    predicted, reference = pair
    offsets = offsets_within(tolerance, PIXEL)
    halo, height = int(offsets[:, 0].max()) + 1, len(predicted)
    total = BoundaryCounts.none(CLASSES)
    for top, bottom in ((0, min(row, height)), (min(row, height), height)):
        first, last = max(top - halo, 0), min(bottom + halo, height)
        inside = (slice(top - first, bottom - first), slice(None))
        total += count_boundaries(predicted[first:last], reference[first:last], offsets, CLASSES, inside)
    assert same(total, counted(predicted, reference, tolerance))


@given(pairs)
def test_borders_of_equal_masks_match(pair) -> None:
    counts = counted(pair[0], pair[0], 1.0)
    for score in (counts.iou(), counts.f1(), counts.precision(), counts.recall()):
        assert np.all(np.isnan(score) | (score == 1))


def test_border_shifted_by_two_pixels_needs_a_tolerance_of_two() -> None:
    reference, predicted = np.zeros((2, 20, 20), np.uint8)
    reference[:, 10:], predicted[:, 12:] = 1, 1
    assert np.array_equal(counted(predicted, reference, 1.0, (1, 1)).f1()[:2], [0, 0])
    assert np.array_equal(counted(predicted, reference, 2.0, (1, 1)).f1()[:2], [1, 1])


def test_scene_edge_and_unlabelled_pixels_are_not_borders() -> None:
    mask = np.ones((8, 8), np.uint8)
    mask[3] = 255
    counts = counted(mask, mask, 2.0)
    assert np.isnan(counts.iou()).all()
    assert np.isnan(counts.f1()).all()


def test_nearest_pixels_count_for_any_tolerance() -> None:
    assert sorted(map(tuple, offsets_within(0.01, (1, 1)).tolist())) == [(-1, 0), (0, -1), (0, 1), (1, 0)]
    assert len(offsets_within(1.5, (1, 1))) == 8


def test_missing_prediction_is_a_missing_border() -> None:
    reference = np.zeros((6, 6), np.uint8)
    predicted = reference.copy()
    predicted[2:4, 2:4] = 255
    counts = counted(predicted, reference, 1.0)
    assert counts.border_predicted[0] == 8
    assert counts.precision()[0] == 0
    assert counts.f1()[0] == pytest.approx(0)
