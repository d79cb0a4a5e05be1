"""Fixtures: a small dataset, prepared once, and Fabric on one CPU."""

import pytest
import torch
from helpers.runs import painted_town, tiny
from lightning.fabric import Fabric

from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.prepared_dataset import PreparedDataset

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recipe(tmp_path_factory) -> Recipe:
    return tiny(painted_town(tmp_path_factory.mktemp("town")))


@pytest.fixture(scope="session")
def prepared(recipe) -> PreparedDataset:
    return prepare(recipe.data, recipe.name)


@pytest.fixture(scope="session")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)
