"""The result of a training run."""

from dataclasses import dataclass
from pathlib import Path

from geoseg.bundle import Bundle

RECIPE_NAME = "recipe.yaml"
"""File name of the resolved recipe in a run folder."""


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run."""

    run: Path
    """The run folder with the recipe, logs, plots, last checkpoint and best bundle."""
    path: Path
    """Path of the best bundle."""
    bundle: Bundle
    """The best bundle, loaded on the CPU."""
