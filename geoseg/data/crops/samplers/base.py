"""What a sampler promises: for any number, a plan of one crop, always the same for the same seed.

Plans depend on their number and the seed alone, never on what was drawn before. So crops do not depend on the number of
worker processes, and a run that continues at step k sees what the uninterrupted run would have seen.
"""

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.data.crops.crop import CropPlan


class Sampler(Protocol):
    """Plans crops.

    Built with ``scenes`` (prepared), ``size`` (pixels), ``scale`` (range of magnification), ``seed``, ``classes`` (names
    in order of their indices), and then with options of its own.
    """

    def plan(self, number: int) -> CropPlan:
        """The plan of crop ``number`` (0, 1, 2 … without end)."""


def in_turn(number: int, count: int, seed: int) -> int:
    """Which of ``count`` things comes as number so-and-so: each once in a random order, then all in another order."""
    turn, place = divmod(number, count)
    return int(_order(seed, turn, count)[place])


@lru_cache(maxsize=4)  # neighbouring numbers share a turn
def _order(seed: int, turn: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, turn)).permutation(count)
