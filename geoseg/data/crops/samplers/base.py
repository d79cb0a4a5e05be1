"""The sampler protocol, and drawing without replacement.

A plan depends only on its number and the seed, not on earlier plans. Crops therefore do not depend on the number of
worker processes, and a run that is resumed at step k gets the same crops as an uninterrupted run.
"""

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.data.crops.read_crop import CropPlan


class Sampler(Protocol):
    """Protocol for samplers, which plan crops by number.

    The constructor takes ``scenes`` (prepared), ``size`` (pixels), ``scale`` (smallest and largest resize factor),
    ``seed`` and ``classes`` (names in the order of their indices), and any further options as keyword arguments.
    """

    def plan(self, number: int) -> CropPlan:
        """Return the plan for crop ``number`` (0, 1, 2, ...; there is no upper limit)."""


def draw_without_replacement(number: int, count: int, seed: int) -> int:
    """Draw one of ``count`` items.

    Args:
        number: Number of the draw, from 0. Each epoch of ``count`` draws returns every item once, in a new random
            order.
        count: Number of items.
        seed: Random seed for the order.

    Returns:
        The index of the item.
    """
    epoch, position = divmod(number, count)
    return int(_permutation(seed, epoch, count)[position])


@lru_cache(maxsize=4)  # consecutive numbers share an epoch
def _permutation(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)
