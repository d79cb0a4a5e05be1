"""Datasets that recipes refer to by name, one file per dataset; each one lists its scenes without reading pixels."""

from importlib import import_module

from geoseg.data.dataset import Dataset
from geoseg.legend import Legend
from geoseg.registry import Registry

datasets: Registry[Dataset] = Registry("dataset", __name__)


def published_legend(name: str) -> Legend | None:
    """Return the legend of a dataset with fixed classes; None if it does not exist, or its options set the classes."""
    if name not in datasets.names():
        return None
    return getattr(import_module(f"{__name__}.{name}"), "LEGEND", None)
