"""Label the connected components of a block of class indices, using union-find.

Labels are assigned in reading order; label 0 is the background. Labels of the same class whose pixels share a side are
*united*: ``parents[label]`` is a smaller label in the same component, and the smallest label, which is its own parent,
is the *root* of the component. The order of the roots is therefore the order of the first pixels of their components.
"""

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.vector.tracing.ragged_arrays import IntArray


@njit
def find_root(parents: IntArray, label: int) -> int:
    """Find the root of a label, and halve the path to the root to make later searches faster."""
    while parents[label] != label:
        parents[label] = parents[parents[label]]
        label = parents[label]
    return label


@njit
def unite(parents: IntArray, first: int, second: int) -> None:
    """Unite the components of two labels."""
    first, second = find_root(parents, first), find_root(parents, second)
    if first < second:
        parents[second] = first
    else:
        parents[first] = second


@njit
def unite_pairs(parents: IntArray, first: IntArray, second: IntArray) -> IntArray:
    """Unite the labels of each pair, and return the root of every label."""
    for k in range(len(first)):
        unite(parents, first[k], second[k])
    return find_roots(parents)


@njit
def find_roots(parents: IntArray) -> IntArray:
    """Find the root of every label."""
    roots = np.empty(len(parents), np.int64)
    for label in range(len(parents)):
        roots[label] = find_root(parents, label)
    return roots


def label_block(block: NDArray[np.int32], background: int) -> tuple[NDArray[np.int32], IntArray]:
    """Label the 4-connected components of a block.

    Args:
        block: Class indices (row, col). The first column must be background, so that no run of identical pixels
            continues in the next row.
        background: Value of pixels without a class.

    Returns:
        The labels (row, col), and the parent of each label.
    """
    labels = np.zeros(block.shape, np.int32)
    flat = block.ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    parents = np.empty(len(starts) + 1, np.int64)
    parents[0] = 0
    count = _label_runs(flat, starts, block.shape[1], background, labels.ravel(), parents)
    return labels, parents[:count].copy()


@njit
def _label_runs(
    flat: NDArray[np.int32],
    starts: IntArray,
    width: int,
    background: int,
    labels: NDArray[np.int32],
    parents: IntArray,
) -> int:
    """Fill ``labels`` (zeros) and ``parents``; return the number of labels, including the background.

    ``starts`` are the positions at which all runs except the first begin. A run gets the label of the pixel above its
    first pixel if both have the same class, otherwise a new label. This label is united with those of all other runs of
    the same class that the run touches in the row above.
    """
    count, above = 1, 0  # above: the first run that can reach the pixels above the current run
    for run in range(len(starts)):
        first, stop = starts[run], starts[run + 1] if run + 1 < len(starts) else len(flat)
        own = flat[first]
        if own == background:
            continue
        if first >= width and flat[first - width] == own:
            label = int(labels[first - width])
        else:
            label = count
            parents[label] = label
            count += 1
        while above < run and starts[above] <= first - width:
            above += 1
        other = above
        while other < run and starts[other] < stop - width:
            if flat[starts[other]] == own:
                unite(parents, label, labels[starts[other]])
            other += 1
        labels[first:stop] = label
    return count


def find_diagonal_pairs(block: NDArray[np.int32], labels: NDArray[np.int32], background: int) -> IntArray:
    """Find the pairs of labels (pair, 2) of the same class that touch at a corner and are therefore 8-connected."""
    pairs = []
    for upper, lower in ((np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[:-1, 1:], np.s_[1:, :-1])):
        touch = (block[upper] == block[lower]) & (block[upper] != background) & (labels[upper] != labels[lower])
        pairs.append(np.stack([labels[upper][touch], labels[lower][touch]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0).astype(np.int64)
