"""Scores are those of mmsegmentation's IoUMetric.

It counts and divides in float32 and rounds its summary to two decimals of a percent; the tolerances say so.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.scores import openmmlab_scores, summarize_scores

CASES = 5


@pytest.fixture(scope="module", params=range(CASES))
def case(request, golden: Path) -> tuple[dict, ConfusionMatrix]:
    expected = json.loads((golden / "iou_cases.json").read_text())[request.param]
    counts = ConfusionMatrix(expected["num_classes"])
    with np.load(golden / "iou_cases.npz") as arrays:
        for image in range(expected["n_images"]):
            names = (f"case{request.param}_{kind}{image}" for kind in ("pred", "gt"))
            counts.update(*(arrays[name] for name in names))
    return expected, counts


def numbers(values) -> np.ndarray:
    """JSON has no NaN, so the file has null."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def test_areas_are_equal(case) -> None:
    expected, counts = case
    areas = expected["areas"]
    np.testing.assert_array_equal(counts.true_positives, areas["intersect"])
    np.testing.assert_array_equal(counts.in_prediction, areas["pred"])
    np.testing.assert_array_equal(counts.in_reference, areas["label"])


@pytest.mark.parametrize(
    ("metric", "key", "score"),
    [
        ("mIoU", "IoU", ConfusionMatrix.iou),
        ("mIoU", "Acc", ConfusionMatrix.accuracy),
        ("mDice", "Dice", ConfusionMatrix.f1),
        ("mFscore", "Precision", ConfusionMatrix.precision),
        ("mFscore", "Recall", ConfusionMatrix.recall),
    ],
)
def test_scores_of_classes_are_equal(case, metric, key, score) -> None:
    expected, counts = case
    np.testing.assert_allclose(score(counts), numbers(expected[metric]["per_class"][key]), rtol=1e-6)


def test_summaries_are_equal_to_two_decimals_of_a_percent(case) -> None:
    expected, counts = case
    told = expected["mIoU"]["summary"] | expected["mDice"]["summary"] | expected["mFscore"]["summary"]
    ours = openmmlab_scores(counts)
    assert set(told) == set(ours)
    np.testing.assert_allclose(numbers(ours.values()), numbers(told[key] for key in ours), atol=0.0101)


def test_the_names_of_papers_are_ours(case) -> None:
    expected, counts = case
    told = expected["mIoU"]["summary"] | expected["mDice"]["summary"]
    ours = summarize_scores(counts)
    names = {"aAcc": "overall_accuracy", "mIoU": "mean_iou", "mAcc": "mean_accuracy", "mDice": "mean_dice"}
    for theirs, name in names.items():
        np.testing.assert_allclose(100 * ours[name], numbers([told[theirs]])[0], atol=0.0051)
