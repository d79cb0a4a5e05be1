"""Choose the input normalization of a training run: that of pretrained weights, of ImageNet, or measured."""

import logging
from math import hypot
from statistics import median

from geoseg.config.recipe import ModelSection
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.errors import DataError
from geoseg.models.backbones.base import IMAGENET, Scaling
from geoseg.models.network import SegmentationNetwork

logger = logging.getLogger(__name__)

PLAUSIBLE_RMS = (0.02, 20.0)
"""Range of the root mean square of normalized pixels. Values outside indicate wrong units of the scenes."""


def choose_normalization(model: ModelSection, network: SegmentationNetwork, prepared: PreparedDataset) -> Scaling:
    """Return the normalization of the pretrained weights, or else the one named in the recipe.

    Args:
        model: Model section of the recipe.
        network: The network, whose backbone may define a normalization.
        prepared: The prepared dataset, with band statistics of the training scenes.

    Raises:
        DataError: If a measured band is constant, or ImageNet's normalization does not fit the bands.
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
            f"model.scaling imagenet needs three bands of uint8, the data have {len(prepared.bands)} of {prepared.dtype}",
            "--set model.scaling=measured",
        )
    return IMAGENET


def measure_normalization(prepared: PreparedDataset) -> Scaling:
    """Return mean and standard deviation of each band over the training scenes."""
    statistics = prepared.statistics
    return Scaling(tuple(band.mean for band in statistics), tuple(band.std for band in statistics))


def warn_about_units(normalization: Scaling, prepared: PreparedDataset) -> None:
    """Warn if normalized pixels are far too small or too large, which indicates other units than in pretraining."""
    if normalization == measure_normalization(prepared):
        return
    sizes = [
        hypot(band.mean - mean, band.std) / std
        for band, mean, std in zip(prepared.statistics, normalization.mean, normalization.std, strict=True)
    ]
    typical = median(sizes)
    if not PLAUSIBLE_RMS[0] <= typical <= PLAUSIBLE_RMS[1]:
        logger.warning(
            "normalized pixels are about %.2g instead of about 1: the scenes have other units than the pretraining data "
            "(the weights expect pixels minus %g divided by %g in the first band)",
            typical,
            normalization.mean[0],
            normalization.std[0],
        )
