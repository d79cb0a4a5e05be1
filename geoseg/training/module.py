"""The Lightning module: what one step of training and one batch of validation do."""

from typing import Any

import lightning
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from geoseg.config.recipe import Recipe
from geoseg.data.crop import Crop
from geoseg.errors import GeosegError
from geoseg.losses.build import build_loss
from geoseg.metrics import ConfusionMatrix
from geoseg.models.backbones.base import Scaling
from geoseg.models.network import SegmentationNetwork
from geoseg.models.normalise import normalise
from geoseg.training.schedule import build_optimizer, build_schedule


class TrainingModule(lightning.LightningModule):
    """A network with its loss, its optimiser and the counts of the current validation."""

    mean: Tensor
    """Per band, subtracted first; shape (1, band, 1, 1)."""
    std: Tensor
    """Per band, divided by afterwards; shape (1, band, 1, 1)."""

    def __init__(self, recipe: Recipe, network: SegmentationNetwork, scaling: Scaling, *, classes: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.network = network
        self.criterion = build_loss(recipe.loss, classes=classes)
        self.confusion = ConfusionMatrix(classes)
        self.register_buffer("mean", _per_band(scaling.mean), persistent=False)
        self.register_buffer("std", _per_band(scaling.std), persistent=False)

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule, stepped every iteration."""
        optimizer = build_optimizer(self.network.parameters(), self.recipe.train)
        schedule = build_schedule(optimizer, self.recipe.train)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def normalised(self, crop: Crop) -> Float[Tensor, "batch band row col"]:
        """Images as the network wants them."""
        images = normalise(crop.image, crop.valid, mean=self.mean, std=self.std)
        return images.contiguous(memory_format=torch.channels_last)

    def training_step(self, crop: Crop, number: int) -> Float[Tensor, ""]:
        """The loss of one batch."""
        target: Int64[Tensor, "batch row col"] = crop.target.long()
        logits, auxiliary = self.network.logits_with_auxiliary(self.normalised(crop))
        loss: Tensor = self.criterion(logits.float(), target)
        if auxiliary is not None:
            loss = loss + self.recipe.model.auxiliary_weight * self.criterion(auxiliary.float(), target)
        if not torch.isfinite(loss):
            raise GeosegError(
                f"the loss is {loss.item()} at iteration {number}", "lower train.learning_rate or raise train.warmup"
            )
        self.log("loss", loss, on_step=True, on_epoch=False)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Counts begin at zero."""
        self.confusion = ConfusionMatrix(self.confusion.classes)

    def validation_step(self, crop: Crop, number: int) -> None:
        """Counts the pixels of one batch."""
        logits = self.network(self.normalised(crop))
        self.confusion.update(logits.argmax(1), crop.target)

    def on_validation_epoch_end(self) -> None:
        """Scores of the whole validation split, from the sum of all counts."""
        self.log("mean_iou", self.confusion.mean_iou, prog_bar=False)
        self.log("overall_accuracy", self.confusion.overall_accuracy)


def _per_band(numbers: tuple[float, ...]) -> Float[Tensor, "1 band 1 1"]:
    return torch.tensor(numbers, dtype=torch.float32).reshape(1, -1, 1, 1)
