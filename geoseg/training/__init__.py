"""Train a network from a recipe and keep the best bundle.

:func:`geoseg.training.train.train` checks the recipe, prepares scenes and opens the run folder;
:class:`~geoseg.training.trainer.Trainer` runs the loop with validation, checkpoints and logging.
"""

from typing import TYPE_CHECKING

from geoseg._lazy import attach

if TYPE_CHECKING:
    from geoseg.training.interrupts import TrainingInterrupted as TrainingInterrupted
    from geoseg.training.trainer import Trainer as Trainer
    from geoseg.training.training_result import TrainingResult as TrainingResult

_MODULES = {
    "Trainer": "geoseg.training.trainer",
    "TrainingInterrupted": "geoseg.training.interrupts",
    "TrainingResult": "geoseg.training.training_result",
}

__all__ = [
    "Trainer",
    "TrainingInterrupted",
    "TrainingResult",
]

__getattr__, __dir__ = attach(__name__, _MODULES)
