"""geoseg: from an orthophoto to clean GIS layers.

The verbs are ``train``, ``import_zoo``, ``predict``, ``polygonize``, ``evaluate_model``, ``evaluate_mask``, ``submit`` and
``check_submission``; ``load`` opens a model. Each is imported when it is first used, so that ``import geoseg`` loads
neither torch nor GDAL.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_HOMES = {
    "GeosegError": "geoseg.errors",
    "Scene": "geoseg.raster.scene",
    "check_submission": "geoseg.evaluation.submission.check_loveda",
    "evaluate_mask": "geoseg.evaluation.evaluate_masks",
    "evaluate_model": "geoseg.evaluation.evaluate_model",
    "import_zoo": "geoseg.importers.import_checkpoint",
    "load": "geoseg.bundle",
    "load_recipe": "geoseg.config.load",
    "polygonize": "geoseg.vector.polygonize",
    "predict": "geoseg.inference.predict",
    "submit": "geoseg.evaluation.submission.loveda",
    "train": "geoseg.training.train",
}

try:
    __version__ = version("geoseg")
except PackageNotFoundError:  # a copy of the folder on a machine where nothing can be installed
    __version__ = "unknown"
__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 (the names are made from the table above)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'geoseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
