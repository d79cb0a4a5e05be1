"""One tiny training run that all flows share."""

import pytest
from integration_settings import FAST

from geoseg.config.load import load_recipe
from geoseg.training.train import Training, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Training:
    """The sample recipe, run for three iterations."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = load_recipe("sample.yaml", [*FAST, f"data.prepared={folder / 'prepared'}"])
    return train(recipe, runs=folder / "runs")
