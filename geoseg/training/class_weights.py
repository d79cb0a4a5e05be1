"""Compute class weights from the class frequencies of the training scenes."""

from collections.abc import Sequence

import numpy as np

from geoseg.config.component_spec import WeightedComponent

WEIGHT_LIMITS = (0.1, 10.0)
"""Smallest and largest weight. More extreme weights would let a few pixels dominate training."""
WEIGHT_RULES = ("balanced", "sqrt")
"""Values of ``class_weights`` in a recipe for which weights are computed."""


def resolve_class_weights(parts: Sequence[WeightedComponent], pixels: Sequence[int]) -> list[WeightedComponent]:
    """Replace the rules ``balanced`` and ``sqrt`` in the losses of a recipe with computed class weights.

    Args:
        parts: The losses in a recipe.
        pixels: Number of training pixels of each class.
    """
    return [_resolve(part, pixels) for part in parts]


def _resolve(part: WeightedComponent, pixels: Sequence[int]) -> WeightedComponent:
    rule = part.options.get("class_weights")
    if rule not in WEIGHT_RULES:
        return part
    return part.model_copy(
        update={"options": {**part.options, "class_weights": compute_class_weights(str(rule), pixels)}}
    )


def compute_class_weights(rule: str, pixels: Sequence[int]) -> list[float]:
    """Compute one weight per class, between 0.1 and 10; the weight of classes without pixels is 1.

    Args:
        rule: ``balanced`` is the median class frequency divided by the frequency of the class (Eigen and Fergus 2015,
            arXiv 1411.4734, section 6.3); ``sqrt`` is its square root.
        pixels: Number of pixels of each class.
    """
    counts = np.asarray(pixels, np.float64)
    seen = counts > 0
    ratio = np.ones(len(counts))
    if seen.any():
        ratio[seen] = np.median(counts[seen]) / counts[seen]
    power = 0.5 if rule == "sqrt" else 1.0
    return [float(weight) for weight in np.clip(ratio**power, *WEIGHT_LIMITS)]
