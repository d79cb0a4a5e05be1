"""Arithmetic of ragged arrays: runs of items that stand one after another, told by their lengths or offsets.

Offsets are of length n + 1; run k of n is what lies from ``offsets[k]`` to ``offsets[k + 1]``.
"""

from collections.abc import Sequence

import numpy as np

from geoseg.vector.label import Integers


def offsets(lengths: Sequence[int] | Integers) -> Integers:
    """Where runs of these lengths begin, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def runs(starts: Integers, lengths: Integers) -> Integers:
    """Indices of runs of consecutive numbers: from starts (4, 9) and lengths (2, 3) come 4, 5, 9, 10, 11."""
    return np.repeat(starts - offsets(lengths)[:-1], lengths) + np.arange(lengths.sum())


def starts_of(names: Integers) -> Integers:
    """Where the name changes, in names that stand together if they are equal; none is negative."""
    return np.flatnonzero(np.diff(names, prepend=-1))
