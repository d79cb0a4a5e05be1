"""Means by name, kappa, and how sure they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geoseg.metrics.bootstrap import intervals
from geoseg.metrics.confusion_matrix import ConfusionMatrix
from geoseg.metrics.scores import summary

CLASSES = 4
tables = arrays.arrays(np.int64, (CLASSES, CLASSES), elements=st.integers(0, 50))


def matrix(counts, missed=None) -> ConfusionMatrix:
    made = ConfusionMatrix(len(counts))
    made.counts = np.asarray(counts, np.int64)
    made.missed = np.zeros(len(counts), np.int64) if missed is None else np.asarray(missed, np.int64)
    return made


@given(tables)
def test_iou_and_dice_do_not_tell_prediction_from_reference(counts) -> None:
    one, other = summary(matrix(counts)), summary(matrix(counts.T))
    for name in ("mean_iou", "mean_dice", "overall_accuracy", "kappa"):
        assert one[name] == pytest.approx(other[name], nan_ok=True)


@given(tables)
def test_a_class_left_out_is_in_no_mean_but_in_accuracy(counts) -> None:
    whole, part = matrix(counts), summary(matrix(counts), left_out=[CLASSES - 1])
    kept = whole.iou()[:-1]
    assert part["mean_iou"] == pytest.approx(np.nanmean(kept) if not np.isnan(kept).all() else np.nan, nan_ok=True)
    assert part["overall_accuracy"] == pytest.approx(whole.overall_accuracy, nan_ok=True)


@given(tables)
def test_nothing_left_out_is_the_matrix_itself(counts) -> None:
    scores, whole = summary(matrix(counts)), matrix(counts)
    assert scores["mean_iou"] == pytest.approx(whole.mean_iou, nan_ok=True)
    assert scores["mean_accuracy"] == pytest.approx(whole.mean_accuracy, nan_ok=True)
    weighted = np.nansum(whole.in_reference * whole.iou()) / max(counts.sum(), 1)
    assert scores["frequency_weighted_iou"] == pytest.approx(weighted if counts.any() else np.nan, nan_ok=True)


def test_kappa_is_1_for_the_same_mask_and_0_for_chance() -> None:
    assert matrix(np.diag([5, 7, 0])).kappa == 1
    assert matrix(np.outer([10, 30], [20, 20])).kappa == pytest.approx(0)
    assert np.isnan(matrix(np.diag([9, 0])).kappa)


def test_kappa_of_more_pixels_than_64_bits_hold_when_squared() -> None:
    assert matrix(np.diag([10**14, 10**14])).kappa == 1


def test_what_was_not_predicted_lowers_kappa() -> None:
    assert matrix([[5, 0], [0, 5]], [5, 5]).kappa < matrix([[5, 0], [0, 5]]).kappa


@given(st.lists(tables, min_size=2, max_size=5))
def test_an_interval_holds_the_score(scenes) -> None:
    matrices = [matrix(counts) for counts in scenes]
    scores = summary(sum(matrices[1:], matrices[0]))
    for name, (low, high) in intervals(matrices, summary, repeats=40).items():
        assert low <= scores[name] <= high


def test_scenes_that_are_alike_leave_no_doubt_and_one_scene_says_nothing_of_it() -> None:
    alike = [matrix([[30, 10], [5, 55]])] * 6
    low, high = intervals(alike, summary)["mean_iou"]
    assert low == high == pytest.approx(summary(alike[0])["mean_iou"])
    assert intervals(alike[:1], summary) == {}


def test_the_interval_of_an_accuracy_is_that_of_the_mean_of_equal_scenes() -> None:
    shares = np.random.default_rng(3).uniform(0.5, 0.9, 60)
    right = [round(1000 * share) for share in shares]
    scenes = [matrix([[count, 1000 - count], [0, 0]]) for count in right]
    low, high = intervals(scenes, summary)["overall_accuracy"]
    half = 1.96 * shares.std() / np.sqrt(len(shares))
    assert (low, high) == pytest.approx((shares.mean() - half, shares.mean() + half), abs=half / 4)
