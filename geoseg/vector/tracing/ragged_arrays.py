"""Arithmetic of ragged arrays: runs of items that stand one after another, told by their lengths or offsets.

Offsets are of length n + 1; run k of n is what lies from ``offsets[k]`` to ``offsets[k + 1]``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.vector.tracing.connected_components import Integers


def offsets(lengths: Sequence[int] | Integers) -> Integers:
    """Where runs of these lengths begin, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def runs(starts: Integers, lengths: Integers) -> Integers:
    """Indices of runs of consecutive numbers: from starts (4, 9) and lengths (2, 3) come 4, 5, 9, 10, 11."""
    return np.repeat(starts - offsets(lengths)[:-1], lengths) + np.arange(lengths.sum())


def copied(items: NDArray[Any], starts: Integers, lengths: Integers) -> NDArray[Any]:
    """The items of runs, one run after another; ``items`` (item,) or (item, 2) of 32 bit."""
    if items.ndim == 2:  # two numbers of 32 bit travel as one of 64
        return copied(items.view(np.int64)[:, 0], starts, lengths).view(items.dtype).reshape(-1, 2)
    found = np.empty(int(lengths.sum()), items.dtype)
    _copy(items, starts, lengths, found)
    return found


@compiled
def _copy(items: NDArray[Any], starts: Integers, lengths: Integers, found: NDArray[Any]) -> None:
    at = 0
    for k in range(len(starts)):
        for i in range(starts[k], starts[k] + lengths[k]):
            found[at] = items[i]
            at += 1


def starts_of(names: Integers) -> Integers:
    """Where the name changes, in names that stand together if they are equal; none is negative."""
    return np.flatnonzero(np.diff(names, prepend=-1))
