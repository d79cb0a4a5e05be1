"""Predict masks for scenes with a model.

:func:`geoseg.predict` is the public function. ``task`` determines how a scene is predicted, ``tile_pipeline``,
``tiled`` and ``sliding`` predict strips of the mask, and ``parallel`` and ``dask_cluster`` distribute the work among
devices and machines.
"""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.inference.estimate import estimate_prediction as estimate_prediction
    from geoseg.inference.model_lookup import find_model as find_model
    from geoseg.inference.options import PredictOptions as PredictOptions
    from geoseg.inference.prediction import Prediction as Prediction
    from geoseg.inference.predictor import Predictor as Predictor
    from geoseg.inference.predictor_cache import PredictorCache as PredictorCache

_MODULES = {
    "PredictOptions": "geoseg.inference.options",
    "Prediction": "geoseg.inference.prediction",
    "Predictor": "geoseg.inference.predictor",
    "PredictorCache": "geoseg.inference.predictor_cache",
    "estimate_prediction": "geoseg.inference.estimate",
    "find_model": "geoseg.inference.model_lookup",
}

__all__ = [
    "PredictOptions",
    "Prediction",
    "Predictor",
    "PredictorCache",
    "estimate_prediction",
    "find_model",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
