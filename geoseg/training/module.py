"""The training module: a network with input normalization and a loss, which maps a batch of crops to its loss."""

import logging
from collections.abc import Sequence
from math import hypot
from statistics import median

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from geoseg.config.recipe import ModelSection, Recipe
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.errors import ConfigError, DataError
from geoseg.losses.build import WeightedSum, build_loss
from geoseg.models.backbones.base import IMAGENET, Scaling
from geoseg.models.build import build_network
from geoseg.models.network import SegmentationNetwork, normalize
from geoseg.training.class_weights import resolve_class_weights

logger = logging.getLogger(__name__)

PLAUSIBLE_RMS = (0.02, 20.0)
"""Expected range of the root mean square of normalized pixels. Values outside this range suggest that the scenes use
different units than the data from which the normalization comes."""


def choose_normalization(model: ModelSection, network: SegmentationNetwork, prepared: PreparedDataset) -> Scaling:
    """Return the normalization that the pretrained weights require, or else the one specified in the recipe.

    Args:
        model: Model section of the recipe.
        network: The network, whose backbone may define its own normalization.
        prepared: The prepared dataset, with band statistics of the training scenes.

    Raises:
        DataError: If a measured band is constant, or the ImageNet normalization does not fit the bands.
    """
    fixed = network.backbone.scaling(prepared.bands)
    if fixed is None and model.scaling == "imagenet":
        fixed = _imagenet(prepared)
    constant = [band for band in prepared.statistics if band.std == 0]
    if constant and fixed is None:
        raise DataError(
            f"the band {constant[0].name} is {constant[0].mean:g} in every training pixel and cannot be normalized",
            "exclude it: list the other bands in data.bands",
        )
    return fixed or measure_normalization(prepared)


def _imagenet(prepared: PreparedDataset) -> Scaling:
    if len(prepared.bands) != len(IMAGENET.mean) or prepared.dtype != "uint8":
        raise DataError(
            "model.scaling=imagenet requires three uint8 bands, "
            f"but the data has {len(prepared.bands)} {prepared.dtype} bands",
            "use --set model.scaling=measured",
        )
    return IMAGENET


def measure_normalization(prepared: PreparedDataset) -> Scaling:
    """Return the mean and standard deviation of each band over the training scenes."""
    statistics = prepared.statistics
    return Scaling(tuple(band.mean for band in statistics), tuple(band.std for band in statistics))


def warn_about_units(normalization: Scaling, prepared: PreparedDataset) -> None:
    """Warn if normalized pixels are far too small or too large, as when the units differ from those of pretraining."""
    if normalization == measure_normalization(prepared):
        return
    sizes = [
        hypot(band.mean - mean, band.std) / std
        for band, mean, std in zip(prepared.statistics, normalization.mean, normalization.std, strict=True)
    ]
    typical = median(sizes)
    if not PLAUSIBLE_RMS[0] <= typical <= PLAUSIBLE_RMS[1]:
        logger.warning(
            "normalized pixels are about %.2g instead of about 1: the scenes do not have the units of the pretraining data "
            "(the weights expect pixels minus %g divided by %g in the first band)",
            typical,
            normalization.mean[0],
            normalization.std[0],
        )


class TrainingModule(nn.Module):
    """A network with its input normalization and loss.

    It is an ``nn.Module`` so that distributed training can synchronize gradients after its forward pass.

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
        """Return the loss of the main head plus the weighted loss of the auxiliary head.

        Args:
            image: Crops before normalization.
            target: Class indices; 255 means "not labeled".
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
        """Normalize images for the network; see :func:`geoseg.models.network.normalize`."""
        normalized = normalize(image, valid, mean=self.mean, std=self.std)
        return normalized.contiguous(memory_format=self.memory_format)

    def set_memory_format(self, memory_format: torch.memory_format) -> None:
        """Set the memory format of the weights, and of the images in later calls."""
        self.memory_format = memory_format
        self.to(memory_format=memory_format)


def _per_band(values: Sequence[float]) -> Float[Tensor, "1 band 1 1"]:
    return torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1)


def build_module(recipe: Recipe, prepared: PreparedDataset) -> TrainingModule:
    """Build the training module of a recipe, with identical initial weights in every process.

    Args:
        recipe: The recipe.
        prepared: The prepared dataset, which defines bands, classes, class frequencies and band statistics.

    Raises:
        ConfigError: If a component is invalid, or the batch is too small for the head.
        DataError: If the input normalization does not fit the bands.
    """
    torch.manual_seed(recipe.train.seed)
    network = build_network(recipe.model, bands=len(prepared.bands), classes=len(prepared.legend))
    crops = recipe.train.batch // recipe.train.accumulate  # batch norms are synchronized between processes
    if crops < network.smallest_batch:
        raise ConfigError(
            f"the head {recipe.model.head.name} cannot train on {crops} crop per forward pass",
            f"use --set train.batch={network.smallest_batch * recipe.train.accumulate} or more",
        )
    normalization = choose_normalization(recipe.model, network, prepared)
    warn_about_units(normalization, prepared)
    losses = resolve_class_weights(recipe.loss, prepared.class_pixels().tolist())
    criterion = build_loss(losses, classes=len(prepared.legend))
    return TrainingModule(network, criterion, normalization, auxiliary_weight=recipe.model.auxiliary_weight)
