"""Datasets that recipes name, one file per dataset; each declares its scenes and reads no pixels."""

from importlib import import_module

from geoseg.data.dataset import Dataset
from geoseg.legend import Legend
from geoseg.registry import Registry

datasets: Registry[Dataset] = Registry("dataset", __name__)


def published_legend(name: str) -> Legend | None:
    """Return the legend of a dataset with fixed classes; None if there is no such dataset, or its options name them."""
    if name not in datasets.names():
        return None
    return getattr(import_module(f"{__name__}.{name}"), "LEGEND", None)
