"""Which pixels belong together: connected components of a block of classes, by union-find.

Labels are given in reading order, 0 standing for the background. A label that turns out to touch another one of the same
class is *united* with it: ``parents[label]`` leads to a smaller label of the same component, and the smallest one, which
is its own parent, is the component's *root*. Because the smallest label wins, roots number the components in the order
of their first pixels.
"""

import numpy as np
from numpy.typing import NDArray

from geoseg.compiled import compiled

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

    The block's first column must be background, so that every pixel has a left neighbour.
    """
    labels = np.zeros(block.shape, np.int32)
    parents = np.empty(block.size + 1, np.int64)  # memory that is not touched costs nothing
    parents[0] = 0
    count = _label_rows(block, background, labels, parents)
    return labels, parents[:count].copy()


@compiled
def _label_rows(block: NDArray[np.int32], background: int, labels: NDArray[np.int32], parents: Integers) -> int:
    """Fills ``labels`` (zeros) and ``parents``; gives the number of labels, the background's included."""
    height, width = block.shape
    count = 1
    for i in range(height):
        for j in range(1, width):
            own = block[i, j]
            if own == background:
                continue
            above = i > 0 and block[i - 1, j] == own
            if block[i, j - 1] == own:
                label = int(labels[i, j - 1])
                if above and block[i - 1, j - 1] != own:  # otherwise both are known to be one already
                    unite(parents, label, int(labels[i - 1, j]))
            elif above:
                label = int(labels[i - 1, j])
            else:
                label = count
                parents[label] = label
                count += 1
            labels[i, j] = label
    return count


def diagonal_pairs(block: NDArray[np.int32], labels: NDArray[np.int32], background: int) -> Integers:
    """Pairs (pair, 2) of labels that touch at a corner only and have the same class: what 8-connectivity adds."""
    pairs = []
    for upper, lower in ((np.s_[:-1, :-1], np.s_[1:, 1:]), (np.s_[:-1, 1:], np.s_[1:, :-1])):
        touch = (block[upper] == block[lower]) & (block[upper] != background) & (labels[upper] != labels[lower])
        pairs.append(np.stack([labels[upper][touch], labels[lower][touch]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0).astype(np.int64)
