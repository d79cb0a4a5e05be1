"""Which pixels belong together: connected components of a block of classes, by union-find.

Labels are given in reading order, 0 standing for the background. A label that turns out to touch another one of the same
class is *united* with it: ``parents[label]`` leads to a smaller label of the same component, and the smallest one, which
is its own parent, is the component's *root*. Because the smallest label wins, roots number the components in the order
of their first pixels.
"""

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled

Integers = NDArray[np.int64]


@compiled
def find_root(parents: Integers, label: int) -> int:
    """The root of a label; halves the path on the way, so that later look-ups are short."""
    while parents[label] != label:
        parents[label] = parents[parents[label]]
        label = parents[label]
    return label


@compiled
def unite(parents: Integers, first: int, second: int) -> None:
    """Make two labels one component."""
    first, second = find_root(parents, first), find_root(parents, second)
    if first < second:
        parents[second] = first
    else:
        parents[first] = second


@compiled
def unite_pairs(parents: Integers, first: Integers, second: Integers) -> Integers:
    """Unite labels pair by pair; the root of every label."""
    for k in range(len(first)):
        unite(parents, first[k], second[k])
    return find_roots(parents)


@compiled
def find_roots(parents: Integers) -> Integers:
    """The root of every label."""
    roots = np.empty(len(parents), np.int64)
    for label in range(len(parents)):
        roots[label] = find_root(parents, label)
    return roots


def label_block(block: NDArray[np.int32], background: int) -> tuple[NDArray[np.int32], Integers]:
    """Labels (row, col) of the 4-connected components of a block of classes, and the labels' parents.

    The block's first column must be background: so every run of equal pixels, all rows put end to end, lies in one row.
    """
    labels = np.zeros(block.shape, np.int32)
    flat = block.ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    parents = np.empty(len(starts) + 1, np.int64)
    parents[0] = 0
    count = _label_runs(flat, starts, block.shape[1], background, labels.ravel(), parents)
    return labels, parents[:count].copy()


@compiled
def _label_runs(
    flat: NDArray[np.int32],
    starts: Integers,
    width: int,
    background: int,
    labels: NDArray[np.int32],
    parents: Integers,
) -> int:
    """Fills ``labels`` (zeros) and ``parents``; gives the number of labels, the background's included.

    ``starts`` is where the runs after the first one begin. A run has the label of the pixel above its first one, if they
    are of one class, else a new one; runs of its class that begin above others of its pixels are united with it.
    """
    count, above = 1, 0  # above: the first run that may end above the run we are at
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
        at = above
        while at < run and starts[at] < stop - width:
            if flat[starts[at]] == own:
                unite(parents, label, labels[starts[at]])
            at += 1
        labels[first:stop] = label
    return count


def diagonal_pairs(block: NDArray[np.int32], labels: NDArray[np.int32], background: int) -> Integers:
    """Pairs (pair, 2) of labels that touch at a corner only and have the same class: what 8-connectivity adds."""
    pairs = []
    for upper, lower in ((np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[:-1, 1:], np.s_[1:, :-1])):
        touch = (block[upper] == block[lower]) & (block[upper] != background) & (labels[upper] != labels[lower])
        pairs.append(np.stack([labels[upper][touch], labels[lower][touch]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0).astype(np.int64)
