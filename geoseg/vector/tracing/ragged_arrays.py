"""Ragged arrays: ranges of varying length stored one after another in a flat array.

The n ranges are described by their lengths, or by n + 1 offsets: range k contains the items from ``offsets[k]`` to
``offsets[k + 1]``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit

IntArray = NDArray[np.int64]
"""Array of offsets, positions, labels or counts."""

FloatArray = NDArray[np.float64]
"""Array of coordinates or measurements."""


def to_offsets(lengths: Sequence[int] | IntArray) -> IntArray:
    """Return the offsets (range + 1,) of ranges with these lengths."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def expand_ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """List the positions that ranges cover, one range after another.

    Example:
        >>> expand_ranges(np.array([4, 9]), np.array([2, 3])).tolist()
        [4, 5, 9, 10, 11]
    """
    return np.repeat(starts - to_offsets(lengths)[:-1], lengths) + np.arange(lengths.sum())


def gather_ranges(items: NDArray[Any], starts: IntArray, lengths: IntArray) -> NDArray[Any]:
    """Copy the items of ranges, one range after another.

    Args:
        items: Array with shape (item,), or (item, 2) with 32-bit elements.
        starts: Position of the first item in each range.
        lengths: Number of items in each range.
    """
    if items.ndim == 2:  # a pair of 32-bit numbers is copied as one 64-bit number
        return gather_ranges(items.view(np.int64)[:, 0], starts, lengths).view(items.dtype).reshape(-1, 2)
    gathered = np.empty(int(lengths.sum()), items.dtype)
    _gather(items, starts, lengths, gathered)
    return gathered


@njit
def _gather(items: NDArray[Any], starts: IntArray, lengths: IntArray, gathered: NDArray[Any]) -> None:
    count = 0
    for k in range(len(starts)):
        for i in range(starts[k], starts[k] + lengths[k]):
            gathered[count] = items[i]
            count += 1


def find_starts(keys: IntArray) -> IntArray:
    """Find the positions at which a new key begins, given non-negative keys in which identical values are adjacent."""
    return np.flatnonzero(np.diff(keys, prepend=-1))
