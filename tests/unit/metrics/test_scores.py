"""Tests of named scores, kappa and bootstrap intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geoseg.metrics.bootstrap import bootstrap_intervals
from geoseg.metrics.confusion_matrix import ConfusionMatrix
from geoseg.metrics.scores import summarize_scores

CLASSES = 4
tables = arrays.arrays(np.int64, (CLASSES, CLASSES), elements=st.integers(0, 50))


def matrix(counts, missed=None) -> ConfusionMatrix:
    made = ConfusionMatrix(len(counts))
    made.counts = np.asarray(counts, np.int64)
    made.missed = np.zeros(len(counts), np.int64) if missed is None else np.asarray(missed, np.int64)
    return made


@given(tables)
def test_iou_and_dice_are_symmetric(counts) -> None:
    one, other = summarize_scores(matrix(counts)), summarize_scores(matrix(counts.T))
    for name in ("mean_iou", "mean_dice", "overall_accuracy", "kappa"):
        assert one[name] == pytest.approx(other[name], nan_ok=True)


@given(tables)
def test_excluded_class_affects_accuracy_only(counts) -> None:
    whole, part = matrix(counts), summarize_scores(matrix(counts), excluded=[CLASSES - 1])
    kept = whole.iou()[:-1]
    assert part["mean_iou"] == pytest.approx(np.nanmean(kept) if not np.isnan(kept).all() else np.nan, nan_ok=True)
    assert part["overall_accuracy"] == pytest.approx(whole.overall_accuracy, nan_ok=True)


@given(tables)
def test_excluding_nothing_keeps_the_matrix(counts) -> None:
    scores, whole = summarize_scores(matrix(counts)), matrix(counts)
    assert scores["mean_iou"] == pytest.approx(whole.mean_iou, nan_ok=True)
    assert scores["mean_accuracy"] == pytest.approx(whole.mean_accuracy, nan_ok=True)
    weighted = np.nansum(whole.in_reference * whole.iou()) / max(counts.sum(), 1)
    assert scores["frequency_weighted_iou"] == pytest.approx(weighted if counts.any() else np.nan, nan_ok=True)


def test_kappa_is_1_for_the_same_mask_and_0_for_chance() -> None:
    assert matrix(np.diag([5, 7, 0])).kappa == 1
    assert matrix(np.outer([10, 30], [20, 20])).kappa == pytest.approx(0)
    assert np.isnan(matrix(np.diag([9, 0])).kappa)


def test_kappa_does_not_overflow_for_many_pixels() -> None:
    assert matrix(np.diag([10**14, 10**14])).kappa == 1


def test_missing_predictions_lower_kappa() -> None:
    assert matrix([[5, 0], [0, 5]], [5, 5]).kappa < matrix([[5, 0], [0, 5]]).kappa


@given(st.lists(tables, min_size=2, max_size=5))
def test_interval_contains_the_score(scenes) -> None:
    matrices = [matrix(counts) for counts in scenes]
    scores = summarize_scores(sum(matrices[1:], matrices[0]))
    for name, (low, high) in bootstrap_intervals(matrices, summarize_scores, repeats=40).items():
        assert low <= scores[name] <= high


def test_equal_scenes_have_narrow_intervals_and_one_scene_has_none() -> None:
    alike = [matrix([[30, 10], [5, 55]])] * 6
    low, high = bootstrap_intervals(alike, summarize_scores)["mean_iou"]
    assert low == high == pytest.approx(summarize_scores(alike[0])["mean_iou"])
    assert bootstrap_intervals(alike[:1], summarize_scores) == {}


def test_interval_of_accuracy_equals_that_of_the_mean_of_equal_scenes() -> None:
    shares = np.random.default_rng(3).uniform(0.5, 0.9, 60)
    right = [round(1000 * share) for share in shares]
    scenes = [matrix([[count, 1000 - count], [0, 0]]) for count in right]
    low, high = bootstrap_intervals(scenes, summarize_scores)["overall_accuracy"]
    half = 1.96 * shares.std() / np.sqrt(len(shares))
    assert (low, high) == pytest.approx((shares.mean() - half, shares.mean() + half), abs=half / 4)
