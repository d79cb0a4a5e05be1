"""Scores are those of scikit-learn, which counts every pixel as a sample of its own."""

import numpy as np
import pytest

from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.scores import summarize_scores

sklearn = pytest.importorskip("sklearn.metrics")

CLASSES = 5


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Labelled pixels only, as scikit-learn knows no ignore index."""
    rng = np.random.default_rng(11)
    reference = rng.integers(0, CLASSES, 4000, dtype=np.uint8)
    return np.where(rng.random(4000) < 0.5, rng.integers(0, CLASSES, 4000, dtype=np.uint8), reference), reference


@pytest.fixture(scope="module")
def scores(pair) -> dict[str, float]:
    counts = ConfusionMatrix(CLASSES)
    counts.update(*pair)
    return summarize_scores(counts)


def test_kappa_is_cohens(pair, scores) -> None:
    assert scores["kappa"] == pytest.approx(sklearn.cohen_kappa_score(*pair))


@pytest.mark.parametrize(
    ("name", "score", "average"),
    [
        ("mean_iou", "jaccard_score", "macro"),
        ("frequency_weighted_iou", "jaccard_score", "weighted"),
        ("mean_f1", "f1_score", "macro"),
        ("mean_precision", "precision_score", "macro"),
        ("mean_accuracy", "recall_score", "macro"),
    ],
)
def test_means_are_theirs(pair, scores, name, score, average) -> None:
    predicted, reference = pair
    assert scores[name] == pytest.approx(getattr(sklearn, score)(reference, predicted, average=average))


def test_overall_accuracy_is_accuracy(pair, scores) -> None:
    assert scores["overall_accuracy"] == pytest.approx(sklearn.accuracy_score(*pair))
