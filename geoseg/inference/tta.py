"""Test-time augmentation: probabilities are averaged over the variants of an image (inference/tta_variants.py).

As in mmsegmentation, each variant's logits are turned back, resized to the image itself, and put through softmax first.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from geoseg.inference.predictor import Predictor
from geoseg.inference.resize import pixel_taps, scaled, scaled_shape
from geoseg.inference.tta_variants import AS_IT_IS, Variants
from geoseg.raster.raster import Raster


def tile_probabilities(
    predictor: Predictor, rasters: Sequence[Raster], variants: Variants
) -> Float[Tensor, "batch class row col"]:
    """The mean over variants of the probability of each class at each pixel; rasters are all of one size.

    Each variant is one forward pass, larger or smaller by the square of its scale.
    """
    if variants == (AS_IT_IS,):
        return predictor.probabilities(rasters)
    total = torch.zeros((), device=predictor.device)
    for variant in variants:
        logits = predictor.logits([scaled_raster(raster, variant.scale, predictor) for raster in rasters], variant)
        total = total + _resized(logits, rasters[0].grid.shape, predictor).softmax(dim=1)
    return total / len(variants)


def mean_probabilities(logits: Iterator[Float[Tensor, "class row col"]], count: int) -> Float[Tensor, "class row col"]:
    """The mean of the probabilities of ``count`` variants. Of one alone its logits: their largest is at the same class."""
    if count == 1:
        return next(logits)
    total = next(logits).softmax(dim=0)
    for each in logits:
        total += each.softmax(dim=0)
    return total / count


def scaled_raster(raster: Raster, scale: float, predictor: Predictor) -> Raster:
    """The raster as a variant of that scale shows it; the mean colour stands for what is not valid."""
    if scale == 1:
        return raster
    height, width = raster.grid.shape
    rows, cols = scaled_shape(height, width, scale)
    down, across = pixel_taps(0, rows, output=rows, size=height), pixel_taps(0, cols, output=cols, size=width)
    return scaled(raster, down, across, fill=np.array(predictor.card.mean))


def _resized(logits: Tensor, shape: tuple[int, int], predictor: Predictor) -> Tensor:
    if logits.shape[-2:] == shape:
        return logits
    return F.interpolate(logits, shape, mode="bilinear", align_corners=predictor.card.model.align_corners)
