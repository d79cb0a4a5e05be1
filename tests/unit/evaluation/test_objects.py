"""Objects are counted as by labelling whole masks with scipy and comparing every pair."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import label

from geoseg.evaluation.objects import ObjectCounter, ObjectCounts

CLASSES = 3
CHOSEN = (1, 2)
values = st.sampled_from([0, 0, 1, 1, 2, 255])
pairs = arrays.arrays(np.uint8, st.tuples(st.just(2), st.integers(1, 14), st.integers(1, 14)), elements=values)


def counted(predicted, reference, rows: int) -> ObjectCounts:
    counter = ObjectCounter(CLASSES, CHOSEN)
    for top in range(0, len(reference), rows):
        counter.update(predicted[top : top + rows], reference[top : top + rows])
    return counter.finish()


def by_pairs(predicted, reference, c: int) -> tuple[int, int, int]:
    """Matched, predicted, true objects of a class, every pair looked at."""
    known = reference != 255
    (predicted_label, n), (reference_label, m) = label(predicted == c), label(reference == c)
    masks = [(predicted_label == i + 1) & known for i in range(n)], [reference_label == i + 1 for i in range(m)]
    there = [mask for mask in masks[0] if mask.any()]
    matched = sum((a & b).sum() / (a | b).sum() > 0.5 for a in there for b in masks[1])
    return int(matched), len(there), m


@given(pairs, st.integers(1, 14))
def test_objects_are_those_of_whole_masks_however_they_are_cut(pair, rows) -> None:
    predicted, reference = pair
    counts = counted(predicted, reference, rows)
    for c in CHOSEN:
        assert (counts.matched[c], counts.predicted[c], counts.reference[c]) == by_pairs(predicted, reference, c)


@given(pairs)
def test_f1_is_1_for_a_mask_against_itself_and_nothing_is_said_of_other_classes(pair) -> None:
    counts = counted(pair[0], pair[0], 5)
    assert np.isnan(counts.f1()[0])
    assert np.all(np.isnan(counts.f1()) | (counts.f1() == 1))
    assert np.all(np.isnan(counts.mean_iou()) | (counts.mean_iou() == 1))


@given(pairs, pairs)
def test_counts_of_scenes_add_up(one, other) -> None:
    a, b = (counted(*pair, 4) for pair in (one, other))
    assert np.array_equal((a + b).matched, a.matched + b.matched)
    assert np.all(((a + b).precision() <= 1) | np.isnan((a + b).precision()))


def test_a_house_found_and_a_house_missed() -> None:
    reference = np.zeros((10, 20), np.uint8)
    reference[2:6, 2:6] = reference[2:6, 10:14] = 1
    predicted = np.zeros_like(reference)
    predicted[2:6, 3:6] = predicted[8, 18] = 1
    counts = counted(predicted, reference, 3)
    assert (counts.matched[1], counts.predicted[1], counts.reference[1]) == (1, 2, 2)
    assert counts.f1()[1] == 0.5
    assert counts.mean_iou()[1] == 12 / 16
