"""Scores are those of torchmetrics."""

import numpy as np
import pytest
import torch

from geoseg.metrics import ConfusionMatrix

torchmetrics = pytest.importorskip("torchmetrics.functional.classification")

CLASSES = 6


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Masks in which every class occurs, with unlabelled pixels in the reference."""
    rng = np.random.default_rng(7)
    reference = rng.integers(0, CLASSES, (60, 83), dtype=np.uint8)
    predicted = np.where(rng.random(reference.shape) < 0.4, rng.integers(0, CLASSES, reference.shape), reference)
    reference[rng.random(reference.shape) < 0.1] = 255
    return predicted.astype(np.uint8), reference


@pytest.fixture(scope="module")
def counts(pair) -> ConfusionMatrix:
    matrix = ConfusionMatrix(CLASSES)
    matrix.update(*pair)
    return matrix


def of_torchmetrics(name: str, pair, **options) -> np.ndarray:
    score = getattr(torchmetrics, f"multiclass_{name}")
    masks = [torch.from_numpy(mask.astype(np.int64)) for mask in pair]
    return score(*masks, num_classes=CLASSES, ignore_index=255, **options).numpy()


def test_counts_are_equal(pair, counts) -> None:
    np.testing.assert_array_equal(counts.counts, of_torchmetrics("confusion_matrix", pair))


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("jaccard_index", ConfusionMatrix.iou),
        ("f1_score", ConfusionMatrix.f1),
        ("precision", ConfusionMatrix.precision),
        ("recall", ConfusionMatrix.recall),
        ("accuracy", ConfusionMatrix.accuracy),
    ],
)
def test_scores_of_classes_are_equal(pair, counts, name, score) -> None:
    np.testing.assert_allclose(score(counts), of_torchmetrics(name, pair, average="none"), rtol=1e-5)


def test_overall_accuracy_is_equal(pair, counts) -> None:
    assert counts.overall_accuracy == pytest.approx(of_torchmetrics("accuracy", pair, average="micro").item(), rel=1e-6)
