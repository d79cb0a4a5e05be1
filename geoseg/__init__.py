"""geoseg: semantic segmentation of remote sensing imagery, from orthophotos to GIS layers.

Functions:

* prepare data: :func:`prepare`, :func:`tile`, :func:`rasterize`
* models: :func:`train`, :func:`import_checkpoint`, :func:`load`, :func:`load_recipe`
* masks and polygons: :func:`predict`, :func:`predict_many`, :func:`polygonize`
* evaluation: :func:`evaluate`, :func:`report`, :func:`measure_shift`, :func:`submit`, :func:`check_submission`
* files of any kind: :func:`describe`

Public names are imported on first use, so ``import geoseg`` does not import torch or GDAL.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.bundle import Bundle as Bundle
    from geoseg.bundle import load as load
    from geoseg.config.load import load_recipe as load_recipe
    from geoseg.config.recipe import Recipe as Recipe
    from geoseg.data.crops.segmentation_dataset import SegmentationDataset as SegmentationDataset
    from geoseg.data.export.export_crops import tile as tile
    from geoseg.data.preparation.prepare import prepare as prepare
    from geoseg.errors import BundleError as BundleError
    from geoseg.errors import ConfigError as ConfigError
    from geoseg.errors import DataError as DataError
    from geoseg.errors import GeosegError as GeosegError
    from geoseg.errors import GridMismatch as GridMismatch
    from geoseg.errors import LayerError as LayerError
    from geoseg.errors import OutputError as OutputError
    from geoseg.errors import SceneError as SceneError
    from geoseg.evaluation.domain_shift.measure_shift import measure_shift as measure_shift
    from geoseg.evaluation.evaluate import evaluate as evaluate
    from geoseg.evaluation.evaluate_masks import evaluate_mask as evaluate_mask
    from geoseg.evaluation.evaluate_model import evaluate_model as evaluate_model
    from geoseg.evaluation.evaluate_model import evaluate_scenes as evaluate_scenes
    from geoseg.evaluation.report.write_report import report as report
    from geoseg.evaluation.result import Evaluation as Evaluation
    from geoseg.evaluation.submission.check_loveda import check_submission as check_submission
    from geoseg.evaluation.submission.loveda import submit as submit
    from geoseg.file_info.describe import describe as describe
    from geoseg.grid.grid import Grid as Grid
    from geoseg.grid.window import Window as Window
    from geoseg.importers.import_checkpoint import import_checkpoint as import_checkpoint
    from geoseg.inference.options import PredictOptions as PredictOptions
    from geoseg.inference.predict import predict as predict
    from geoseg.inference.predict_many import predict_many as predict_many
    from geoseg.inference.prediction import Prediction as Prediction
    from geoseg.legend import Legend as Legend
    from geoseg.model_card import ModelCard as ModelCard
    from geoseg.models.build import create_model as create_model
    from geoseg.raster.raster import Raster as Raster
    from geoseg.raster.scene import Scene as Scene
    from geoseg.training.train import train as train
    from geoseg.training.training_result import TrainingResult as TrainingResult
    from geoseg.vector.polygonize import polygonize as polygonize
    from geoseg.vector.polygonize_result import Polygons as Polygons
    from geoseg.vector.rasterize import rasterize as rasterize

_MODULES = {
    "Bundle": "geoseg.bundle",
    "BundleError": "geoseg.errors",
    "ConfigError": "geoseg.errors",
    "DataError": "geoseg.errors",
    "Evaluation": "geoseg.evaluation.result",
    "GeosegError": "geoseg.errors",
    "Grid": "geoseg.grid.grid",
    "GridMismatch": "geoseg.errors",
    "LayerError": "geoseg.errors",
    "Legend": "geoseg.legend",
    "ModelCard": "geoseg.model_card",
    "OutputError": "geoseg.errors",
    "Polygons": "geoseg.vector.polygonize_result",
    "PredictOptions": "geoseg.inference.options",
    "Prediction": "geoseg.inference.prediction",
    "Raster": "geoseg.raster.raster",
    "Recipe": "geoseg.config.recipe",
    "Scene": "geoseg.raster.scene",
    "SceneError": "geoseg.errors",
    "SegmentationDataset": "geoseg.data.crops.segmentation_dataset",
    "TrainingResult": "geoseg.training.training_result",
    "Window": "geoseg.grid.window",
    "check_submission": "geoseg.evaluation.submission.check_loveda",
    "create_model": "geoseg.models.build",
    "describe": "geoseg.file_info.describe",
    "evaluate": "geoseg.evaluation.evaluate",
    "evaluate_mask": "geoseg.evaluation.evaluate_masks",
    "evaluate_model": "geoseg.evaluation.evaluate_model",
    "evaluate_scenes": "geoseg.evaluation.evaluate_model",
    "import_checkpoint": "geoseg.importers.import_checkpoint",
    "load": "geoseg.bundle",
    "load_recipe": "geoseg.config.load",
    "measure_shift": "geoseg.evaluation.domain_shift.measure_shift",
    "polygonize": "geoseg.vector.polygonize",
    "predict": "geoseg.inference.predict",
    "predict_many": "geoseg.inference.predict_many",
    "prepare": "geoseg.data.preparation.prepare",
    "rasterize": "geoseg.vector.rasterize",
    "report": "geoseg.evaluation.report.write_report",
    "submit": "geoseg.evaluation.submission.loveda",
    "tile": "geoseg.data.export.export_crops",
    "train": "geoseg.training.train",
}
"""Module of each public name; the names are the same as in the imports above."""

_RENAMED = {"import_zoo": "import_checkpoint"}
"""Old names that still work in this release."""

try:
    __version__ = version("geoseg")
except PackageNotFoundError:  # the package folder was copied, not installed
    __version__ = "unknown"
__all__ = ["__version__", *sorted(_MODULES)]  # noqa: PLE0604 - the names are the keys of the table


_get_attribute, __dir__ = attach(__name__, _MODULES)


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        _warn_renamed(name)
        name = _RENAMED[name]
    return _get_attribute(name)


def _warn_renamed(name: str) -> None:
    import warnings  # noqa: PLC0415 - rarely used

    from geoseg.errors import GeosegWarning  # noqa: PLC0415

    warnings.warn(f"geoseg.{name} is now geoseg.{_RENAMED[name]}", GeosegWarning, stacklevel=3)
