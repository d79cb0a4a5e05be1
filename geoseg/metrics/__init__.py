"""Metrics for masks: confusion matrix and scores, boundary scores, calibration, bootstrap intervals."""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.metrics.bootstrap import bootstrap_intervals as bootstrap_intervals
    from geoseg.metrics.boundary import BoundaryCounts as BoundaryCounts
    from geoseg.metrics.calibration import Calibration as Calibration
    from geoseg.metrics.confusion_matrix import ConfusionMatrix as ConfusionMatrix
    from geoseg.metrics.scores import openmmlab_scores as openmmlab_scores
    from geoseg.metrics.scores import summarize_scores as summarize_scores

_MODULES = {
    "BoundaryCounts": "geoseg.metrics.boundary",
    "Calibration": "geoseg.metrics.calibration",
    "ConfusionMatrix": "geoseg.metrics.confusion_matrix",
    "bootstrap_intervals": "geoseg.metrics.bootstrap",
    "openmmlab_scores": "geoseg.metrics.scores",
    "summarize_scores": "geoseg.metrics.scores",
}

__all__ = [
    "BoundaryCounts",
    "Calibration",
    "ConfusionMatrix",
    "bootstrap_intervals",
    "openmmlab_scores",
    "summarize_scores",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
