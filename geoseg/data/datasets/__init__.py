"""Labelled data that recipes name, one file per dataset; a dataset declares where things lie and reads no pixels."""

from importlib import import_module

from geoseg.data.dataset import Dataset
from geoseg.legend import Legend
from geoseg.registry import Registry

datasets: Registry[Dataset] = Registry("dataset", __name__)


def published_legend(name: str) -> Legend | None:
    """The legend of a dataset whose classes are always the same; None if they depend on its options."""
    if name not in datasets.names():
        return None
    return getattr(import_module(f"{__name__}.{name}"), "LEGEND", None)
