"""What happens beside the training loop: progress is reported, the best bundle is kept."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning

from geoseg.bundle import BEST_NAME, Bundle, ModelCard
from geoseg.progress import Task
from geoseg.training.module import TrainingModule
from geoseg.training.run import point_latest_to

logger = logging.getLogger(__name__)


class ReportProgress(lightning.Callback):
    """Advances a task by one with every optimiser step."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.validated = ""

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """One step done: loss, learning rate and the last validation's score beside the bar."""
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.task.advance(note=f"loss {outputs['loss'].item():.3f}, lr {rate:.2g}{self.validated}")

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Remembers the score to show."""
        assert isinstance(pl_module, TrainingModule)
        self.validated = f", mIoU {pl_module.confusion.mean_iou:.3f}"


class KeepBest(lightning.Callback):
    """Writes the bundle after every validation that is better than all before, by mean IoU."""

    def __init__(self, run: Path, card: ModelCard) -> None:
        self.run = run
        self.card = card
        self.best = -1.0

    @property
    def path(self) -> Path:
        """The bundle's file."""
        return self.run / BEST_NAME

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compares and, if better, saves."""
        assert isinstance(pl_module, TrainingModule)
        confusion = pl_module.confusion
        logger.info("iteration %d: mean IoU %.4f", trainer.global_step, confusion.mean_iou)
        if self.path.exists() and not confusion.mean_iou > self.best:
            return
        self.best = confusion.mean_iou
        scores = {"mean_iou": confusion.mean_iou, "overall_accuracy": confusion.overall_accuracy}
        scores |= {f"iou {name}": float(iou) for name, iou in zip(self.card.legend.names, confusion.iou(), strict=True)}
        provenance = {**self.card.provenance, "iteration": str(trainer.global_step)}
        Bundle(pl_module.network, replace(self.card, scores=scores, provenance=provenance)).save(self.path)
        point_latest_to(self.run)
