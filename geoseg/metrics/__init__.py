"""Scores: ``confusion`` (counts of pixels, and IoU, F1, accuracy … from them), ``summary`` (their means by name),
``boundary``, ``calibration``, ``bootstrap`` (how sure a score is).
"""

from geoseg.metrics.confusion_matrix import ConfusionMatrix

__all__ = ["ConfusionMatrix"]
