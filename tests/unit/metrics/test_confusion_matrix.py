"""Tests of confusion matrices: addition, counting, scores, invalid input."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geoseg.errors import ConfigError, DataError
from geoseg.metrics.confusion_matrix import CHUNK_PIXELS, ConfusionMatrix

CLASSES = 4

values = st.one_of(st.integers(0, CLASSES - 1), st.just(255))
pairs = arrays.arrays(np.uint8, st.tuples(st.just(2), st.integers(0, 7), st.integers(0, 7)), elements=values)


def counted(predicted, reference, classes: int = CLASSES) -> ConfusionMatrix:
    matrix = ConfusionMatrix(classes)
    matrix.update(np.asarray(predicted), np.asarray(reference))
    return matrix


def same(one: ConfusionMatrix, other: ConfusionMatrix) -> bool:
    return np.array_equal(one.counts, other.counts) and np.array_equal(one.missed, other.missed)


@given(pairs, st.integers(0, 7))
def test_counts_do_not_depend_on_how_pixels_are_split(pair, row) -> None:
    predicted, reference = pair
    apart = ConfusionMatrix(CLASSES)
    apart.update(predicted[row:], reference[row:])
    apart.update(predicted[:row], reference[:row])
    whole = counted(predicted, reference)
    assert same(apart, whole)
    assert same(counted(predicted[:row], reference[:row]) + counted(predicted[row:], reference[row:]), whole)


@given(pairs, st.randoms(use_true_random=False))
def test_counts_do_not_depend_on_the_order_of_pixels(pair, random) -> None:
    order = list(range(pair[0].size))
    random.shuffle(order)
    flat = pair.reshape(2, -1)
    assert same(counted(*flat[:, order]), counted(*pair))


@given(pairs)
def test_every_labelled_pixel_is_counted_once(pair) -> None:
    predicted, reference = pair
    matrix = counted(predicted, reference)
    assert matrix.in_reference.sum() == (reference != 255).sum()
    assert matrix.missed.sum() == ((reference != 255) & (predicted == 255)).sum()
    assert matrix.true_positives.sum() == ((reference != 255) & (predicted == reference)).sum()


@given(pairs)
def test_scores_are_shares_or_undefined(pair) -> None:
    matrix = counted(*pair)
    for score in (matrix.iou(), matrix.f1(), matrix.precision(), matrix.recall(), matrix.accuracy()):
        assert score.shape == (CLASSES,)
        assert np.all(np.isnan(score) | ((score >= 0) & (score <= 1)))
    assert np.all(np.isnan(matrix.iou()) | (matrix.iou() <= matrix.f1()))


@given(pairs)
def test_scores_of_equal_masks(pair) -> None:
    matrix = counted(pair[0], pair[0])
    occurring = np.isin(np.arange(CLASSES), pair[0])
    np.testing.assert_array_equal(matrix.iou(), np.where(occurring, 1, np.nan))
    assert (matrix.mean_iou == matrix.overall_accuracy == 1) if occurring.any() else np.isnan(matrix.mean_iou)


def test_scores_of_an_example_computed_by_hand() -> None:
    matrix = counted([0, 0, 1, 1, 255, 0], [0, 1, 1, 1, 1, 255], classes=3)
    np.testing.assert_array_equal(matrix.counts, [[1, 0, 0], [1, 2, 0], [0, 0, 0]])
    np.testing.assert_array_equal(matrix.missed, [0, 1, 0])
    np.testing.assert_allclose(matrix.iou(), [1 / 2, 2 / 4, np.nan])
    np.testing.assert_allclose(matrix.f1(), [2 / 3, 4 / 6, np.nan])
    np.testing.assert_allclose(matrix.precision(), [1 / 2, 1, np.nan])
    np.testing.assert_allclose(matrix.recall(), [1, 2 / 4, np.nan])
    assert matrix.overall_accuracy == 3 / 5
    assert (matrix.mean_iou, matrix.mean_f1, matrix.mean_accuracy) == (0.5, pytest.approx(2 / 3), 0.75)


def test_class_only_in_prediction_has_iou_and_f1_of_zero() -> None:
    matrix = counted([1, 0], [0, 0], classes=2)
    assert (matrix.iou()[1], matrix.f1()[1], matrix.precision()[1]) == (0, 0, 0)
    assert np.isnan(matrix.recall()[1])


def test_without_labelled_pixels_scores_are_undefined() -> None:
    matrix = counted([0, 1], [255, 255])
    scores = (matrix.overall_accuracy, matrix.mean_iou, matrix.mean_f1, matrix.mean_accuracy)
    assert np.isnan(scores).all()


def test_masks_larger_than_a_chunk() -> None:
    rng = np.random.default_rng(0)
    predicted, reference = rng.integers(0, CLASSES, (2, 2 * CHUNK_PIXELS + 17), dtype=np.uint8)
    expected = np.histogram2d(reference, predicted, bins=np.arange(CLASSES + 1))[0]
    np.testing.assert_array_equal(counted(predicted, reference).counts, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_integer_types_and_tensors_are_counted_equally(dtype) -> None:
    predicted, reference = np.array([[0, 1, 3], [2, 255, 1]], dtype), np.array([[0, 1, 255], [3, 0, 1]], dtype)
    matrix = ConfusionMatrix(CLASSES)
    matrix.update(torch.from_numpy(predicted), torch.from_numpy(reference))
    assert same(matrix, counted(predicted, reference))


def test_views_are_counted_like_copies() -> None:
    mask = np.arange(16, dtype=np.uint8).reshape(4, 4) % CLASSES
    assert same(counted(mask.T[::2], mask[:, 1::2].T), counted(mask.T[::2].copy(), mask[:, 1::2].T.copy()))


@pytest.mark.parametrize("stranger", [CLASSES, 254, 256, -1, -100])
@pytest.mark.parametrize("where", ["prediction", "reference"])
def test_invalid_class_index_is_named_and_nothing_is_counted(stranger, where) -> None:
    good, bad = np.array([0, 1, 2]), np.array([0, 1, stranger])
    matrix = ConfusionMatrix(CLASSES)
    with pytest.raises(DataError, match=rf"the {where} contains {stranger}\b"):
        matrix.update(*((bad, good) if where == "prediction" else (good, bad)))
    assert matrix.in_reference.sum() == 0


@pytest.mark.parametrize(
    ("predicted", "reference", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"shapes differ: prediction \(2, 3\), reference \(3, 2\)"),
        (np.zeros(3), np.zeros(3, int), "the prediction is float64"),
        (np.zeros(3, int), np.zeros(3, bool), "the reference is bool"),
    ],
)
def test_masks_that_cannot_be_compared_are_refused(predicted, reference, message) -> None:
    with pytest.raises(DataError, match=message):
        ConfusionMatrix(2).update(predicted, reference)


def test_matrices_of_other_classes_cannot_be_added() -> None:
    with pytest.raises(DataError, match="2 and 3 classes"):
        ConfusionMatrix(2) + ConfusionMatrix(3)


@pytest.mark.parametrize("classes", [0, 256])
def test_invalid_number_of_classes_is_refused(classes) -> None:
    with pytest.raises(ConfigError, match=f"not {classes}"):
        ConfusionMatrix(classes)


def test_scores_do_not_import_torch() -> None:
    code = "import sys, geoseg.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
