"""How pixels are scaled for training and on the card: as the backbone's weights are used to, else as measured."""

import logging
from math import hypot
from statistics import median

from geoseg.config.recipe import ModelSection
from geoseg.data.preparation.prepared_dataset import Prepared
from geoseg.errors import DataError
from geoseg.models.backbones.base import IMAGENET, Scaling
from geoseg.models.network import SegmentationNetwork

logger = logging.getLogger(__name__)

USUAL = (0.02, 20.0)
"""Root mean squares of scaled pixels that no sensor leaves: reflectance in shares where 0 to 10000 is wanted does."""


def scaling(model: ModelSection, network: SegmentationNetwork, prepared: Prepared) -> Scaling:
    """The scaling that the backbone brings, or else the one that the recipe names.

    :class:`DataError` for a measured band that never varies, and for bands that ImageNet says nothing about.
    """
    brought = network.backbone.scaling(prepared.bands)
    if brought is None and model.scaling == "imagenet":
        brought = _imagenet(prepared)
    flat = [band for band in prepared.statistics if band.std == 0]
    if flat and brought is None:
        raise DataError(
            f"the band {flat[0].name} is {flat[0].mean:g} in every training pixel, so it cannot be scaled",
            "leave it out: name the other bands in data.bands",
        )
    return brought or measured(prepared)


def _imagenet(prepared: Prepared) -> Scaling:
    if len(prepared.bands) != len(IMAGENET.mean) or prepared.dtype != "uint8":
        raise DataError(
            f"the data have {len(prepared.bands)} bands of {prepared.dtype}, and ImageNet has three of 8 bit",
            "--set model.scaling=measured",
        )
    return IMAGENET


def measured(prepared: Prepared) -> Scaling:
    """Mean and standard deviation of the training scenes, band by band."""
    statistics = prepared.statistics
    return Scaling(tuple(band.mean for band in statistics), tuple(band.std for band in statistics))


def warn_of_other_units(scaled: Scaling, prepared: Prepared) -> None:
    """Warns if scaled training pixels are far too small or too large: pretraining saw other units then."""
    if scaled == measured(prepared):
        return
    sizes = [
        hypot(band.mean - mean, band.std) / std
        for band, mean, std in zip(prepared.statistics, scaled.mean, scaled.std, strict=True)
    ]
    typical = median(sizes)
    if not USUAL[0] <= typical <= USUAL[1]:
        logger.warning(
            "scaled pixels are about %.2g where pretraining saw about 1: the scenes are in other units than the "
            "weights know (they subtract %g and divide by %g in the first band)",
            typical,
            scaled.mean[0],
            scaled.std[0],
        )
