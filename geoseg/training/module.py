"""The training module: maps a batch of crops to the loss of the main and auxiliary logits."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.errors import ConfigError
from geoseg.losses.build import WeightedSum, build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.models.build import build_network
from geoseg.models.network import SegmentationNetwork
from geoseg.models.normalize_input import normalize
from geoseg.training.class_weights import resolve_class_weights
from geoseg.training.normalization_stats import choose_normalization, warn_about_units


class TrainingModule(nn.Module):
    """A network with its input normalization and loss.

    It is a module so that distributed training can synchronize gradients after its forward pass.

    Args:
        network: The network.
        criterion: The loss.
        scaling: Input normalization.
        auxiliary_weight: Weight of the loss of the auxiliary head.
    """

    mean: Tensor
    """Mean of each band, (1, band, 1, 1)."""
    std: Tensor
    """Standard deviation of each band, (1, band, 1, 1)."""

    def __init__(
        self, network: SegmentationNetwork, criterion: WeightedSum, scaling: Scaling, *, auxiliary_weight: float
    ) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion
        self.normalization = scaling
        self.auxiliary_weight = auxiliary_weight
        self.memory_format = torch.contiguous_format
        self.register_buffer("mean", _per_band(scaling.mean), persistent=False)
        self.register_buffer("std", _per_band(scaling.std), persistent=False)

    def forward(
        self,
        image: Num[Tensor, "batch band row col"],
        target: Num[Tensor, "batch row col"],
        valid: Bool[Tensor, "batch row col"],
    ) -> Float[Tensor, ""]:
        """Return the loss of the head plus the weighted loss of the auxiliary head.

        Args:
            image: Crops before normalization.
            target: Class indices; 255 = not labeled.
            valid: True for pixels with data.
        """
        logits, auxiliary = self.network.logits_with_auxiliary(self.normalize(image, valid))
        loss: Tensor = self.criterion(logits.float(), target.long())
        if auxiliary is not None:
            loss = loss + self.auxiliary_weight * self.criterion(auxiliary.float(), target.long())
        return loss

    def normalize(
        self, image: Num[Tensor, "batch band row col"], valid: Bool[Tensor, "batch row col"]
    ) -> Float[Tensor, "batch band row col"]:
        """Normalize images to the input of the network; see :func:`geoseg.models.normalize_input.normalize`."""
        normalized = normalize(image, valid, mean=self.mean, std=self.std)
        return normalized.contiguous(memory_format=self.memory_format)

    def set_memory_format(self, memory_format: torch.memory_format) -> None:
        """Set the memory format of the weights and of the images of later calls."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)


def _per_band(values: Sequence[float]) -> Float[Tensor, "1 band 1 1"]:
    return torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)


def build_module(recipe: Recipe, prepared: PreparedDataset) -> TrainingModule:
    """Build the training module of a recipe, with equal initial weights in every process.

    Args:
        recipe: The recipe.
        prepared: The prepared dataset, which defines bands, classes, class frequencies and band statistics.

    Raises:
        ConfigError: If a component is invalid, or the batch is too small for the head.
        DataError: If the input normalization does not fit the bands.
    """
    torch.manual_seed(recipe.train.seed)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=len(prepared.legend))
    crops = recipe.train.batch // recipe.train.accumulate  # norms are synchronized between processes
    if crops < network.smallest_batch:
        raise ConfigError(
            f"the head {recipe.model.head.name} cannot train on {crops} crop per forward pass",
            f"--set train.batch={network.smallest_batch * recipe.train.accumulate} or more",
        )
    normalization = choose_normalization(recipe.model, network, prepared)
    warn_about_units(normalization, prepared)
    losses = resolve_class_weights(recipe.loss, prepared.class_pixels().tolist())
    criterion = build_loss(losses, classes=len(prepared.legend))
    return TrainingModule(network, criterion, normalization, auxiliary_weight=recipe.model.auxiliary_weight)
