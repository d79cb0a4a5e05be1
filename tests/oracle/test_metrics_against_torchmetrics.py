"""Scores are those of torchmetrics."""

import numpy as np
import pytest
import torch

from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.calibration import Calibration
from geoseg.metrics.scores import summarize_scores

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


def test_kappa_is_equal(pair, counts) -> None:
    assert counts.kappa == pytest.approx(of_torchmetrics("cohen_kappa", pair).item(), rel=1e-5)


def test_frequency_weighted_iou_is_equal(pair, counts) -> None:
    expected = of_torchmetrics("jaccard_index", pair, average="weighted").item()
    assert summarize_scores(counts)["frequency_weighted_iou"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("bins", [5, 15])
def test_the_calibration_error_is_equal(bins) -> None:
    rng = np.random.default_rng(5)
    level, right = rng.integers(0, 255, 4000).astype(np.uint8), rng.random(4000) < 0.6
    ours = Calibration()
    ours.update(level, right)
    confidence = torch.from_numpy(level / 254)
    expected = torchmetrics.binary_calibration_error(confidence, torch.from_numpy(right).long(), n_bins=bins)
    # Its bins are open below and ours above: where a level lies on an edge, they may differ a little.
    assert ours.error(bins) == pytest.approx(expected.item(), abs=2e-3)
