"""Labelled data that recipes name, one file per dataset; a dataset declares where things lie and reads no pixels."""

from geoseg.data.dataset import Dataset
from geoseg.registry import Registry

datasets: Registry[Dataset] = Registry("dataset", __name__)
