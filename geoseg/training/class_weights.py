"""Class weights that a recipe asks for by a word, from how often each class was seen when scenes were prepared."""

from collections.abc import Sequence

import numpy as np

from geoseg.config.component import WeightedPart

LIMITS = (0.1, 10.0)
"""Smallest and largest weight: beyond, a handful of pixels would lead the network about."""
WORDS = ("balanced", "sqrt")


def with_class_weights(parts: Sequence[WeightedPart], pixels: Sequence[int]) -> list[WeightedPart]:
    """The losses of a recipe, with numbers where ``class_weights`` is a word.

    ``balanced`` is the median frequency over the class's own (Eigen and Fergus 2015, arXiv 1411.4734, section 6.3),
    ``sqrt`` the square root of that; both between 0.1 and 10. ``pixels`` counts the training pixels of each class.
    """
    return [_resolved(part, pixels) for part in parts]


def _resolved(part: WeightedPart, pixels: Sequence[int]) -> WeightedPart:
    word = part.options.get("class_weights")
    if word not in WORDS:
        return part
    return part.model_copy(update={"options": {**part.options, "class_weights": class_weights(str(word), pixels)}})


def class_weights(word: str, pixels: Sequence[int]) -> list[float]:
    """One weight per class; 1 for classes without a pixel."""
    counts = np.asarray(pixels, np.float64)
    seen = counts > 0
    ratio = np.ones(len(counts))
    if seen.any():
        ratio[seen] = np.median(counts[seen]) / counts[seen]
    power = 0.5 if word == "sqrt" else 1.0
    return [float(weight) for weight in np.clip(ratio**power, *LIMITS)]
