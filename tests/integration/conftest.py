"""One tiny training run that all flows share."""

import os
from pathlib import Path

import pytest
from filelock import FileLock
from helpers.sample import FAST

from geoseg.bundle import load
from geoseg.config.load import load_recipe
from geoseg.training.train import TrainingResult, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> TrainingResult:
    """The sample recipe, run for three iterations: once for all pytest processes."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "trained"
    with FileLock(folder.with_suffix(".lock")):
        done = folder / "done"
        if not done.exists():
            recipe = load_recipe("sample.yaml", [*FAST, f"data.prepared={folder / 'prepared'}"])
            training = train(recipe, runs=folder / "runs")
            done.write_text(f"{training.run}\n{training.path}\n")
            return training
        run, path = map(Path, done.read_text().splitlines())
        return TrainingResult(run, path, load(path))
