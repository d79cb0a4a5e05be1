"""Evaluate models and masks against reference labels, report scores, measure domain shift and write submissions.

:func:`geoseg.evaluate` is the public entry point. Scenes come from masks (``evaluate_masks``), from files and a model
(``evaluate_scenes``) or from a recipe's dataset (``evaluate_model``). ``scene_loop`` evaluates them one by one,
``accumulate_counts`` counts pixels under named ``protocols``, and ``result`` holds the counts and scores. The public
types are imported on first use, because some of them import torch.
"""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.evaluation.accumulate_counts import SceneCounts as SceneCounts
    from geoseg.evaluation.domain_shift.measure_shift import DomainShift as DomainShift
    from geoseg.evaluation.options import EvaluationOptions as EvaluationOptions
    from geoseg.evaluation.protocols import PROTOCOLS as PROTOCOLS
    from geoseg.evaluation.protocols import Protocol as Protocol
    from geoseg.evaluation.result import Evaluation as Evaluation
    from geoseg.evaluation.result import SceneContext as SceneContext
    from geoseg.evaluation.submission.check_loveda import SubmissionCheck as SubmissionCheck

_MODULES = {
    "DomainShift": "geoseg.evaluation.domain_shift.measure_shift",
    "Evaluation": "geoseg.evaluation.result",
    "EvaluationOptions": "geoseg.evaluation.options",
    "PROTOCOLS": "geoseg.evaluation.protocols",
    "Protocol": "geoseg.evaluation.protocols",
    "SceneContext": "geoseg.evaluation.result",
    "SceneCounts": "geoseg.evaluation.accumulate_counts",
    "SubmissionCheck": "geoseg.evaluation.submission.check_loveda",
}

__all__ = [
    "PROTOCOLS",
    "DomainShift",
    "Evaluation",
    "EvaluationOptions",
    "Protocol",
    "SceneContext",
    "SceneCounts",
    "SubmissionCheck",
]


__getattr__, __dir__ = attach(__name__, _MODULES)
