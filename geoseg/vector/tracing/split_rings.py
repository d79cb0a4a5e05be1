"""Walks parted into simple rings, each beginning at its uppermost corner, the leftmost of these.

Where a walk passes a pinched corner twice we part it there in two rings that touch at a point, so that every polygon is
valid by the rules of OGC Simple Features: shells and holes that touch at points are allowed, rings that touch themselves
are not. Beginning at a corner of their own makes rings independent of where strips were cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.ragged_arrays import copied, offsets
from geoseg.vector.tracing.stitch_contours import NODE, PINCHED, Walks


@dataclass(frozen=True)
class Rings:
    """Closed rings one after another; arrays of one length describe one ring each."""

    corners: NDArray[np.int32]
    """(corner, 2): row and column; the first corner of a ring is repeated at its end."""
    nodes: NDArray[np.bool_]
    """(corner,): True where three or four borders meet."""
    lengths: Integers
    """How many corners each ring has, the repeated one counted twice."""
    double_areas: Integers
    """Twice the pixels inside, negative for holes."""
    bottoms: Integers
    """The lowest row of the ring's corners."""
    labels: Integers
    """The region the ring goes around."""
    values: Integers
    """The region's class."""

    @classmethod
    def none(cls) -> Self:
        """No rings."""
        empty = np.empty(0, np.int64)
        return cls(np.empty((0, 2), np.int32), np.empty(0, np.bool_), empty, empty, empty, empty, empty)

    @classmethod
    def joined(cls, parts: Sequence["Rings"]) -> Self:
        """The rings of all parts."""
        columns = ("corners", "nodes", "lengths", "double_areas", "bottoms", "labels", "values")
        return cls(*(np.concatenate([getattr(part, column) for part in parts]) for column in columns))

    @property
    def tops(self) -> NDArray[np.int32]:
        """(ring, 2): where each begins, its uppermost corner and the leftmost of these."""
        return self.corners[offsets(self.lengths)[:-1]]

    def chosen(self, order: Integers) -> "Rings":
        """The rings at these positions."""
        lengths = self.lengths[order]
        starts = offsets(self.lengths)[:-1][order]
        return Rings(
            copied(self.corners, starts, lengths), copied(self.nodes, starts, lengths),
            lengths, self.double_areas[order], self.bottoms[order],
            self.labels[order], self.values[order],
        )  # fmt: skip


def part_rings(walks: Walks) -> Rings:
    """The simple rings of closed walks."""
    limit = len(walks.corners) // 4 + 1  # a ring has at least four corners
    corners, nodes = np.empty((len(walks.corners) + limit, 2), np.int32), np.empty(len(walks.corners) + limit, np.bool_)
    table = np.empty((limit, 4), np.int64)
    pinched, starts = walks.kinds == PINCHED, walks.stops - np.diff(walks.stops, prepend=0)
    pinches = np.add.reduceat(pinched, starts, dtype=np.int64) if len(starts) else starts
    filled, count = _part(walks.corners, pinched, walks.kinds >= NODE, walks.stops, pinches, corners, nodes, table)
    stops, walk, double_areas, bottoms = table[:count].T.copy()
    return Rings(
        corners[:filled], nodes[:filled], np.diff(stops, prepend=0), double_areas, bottoms,
        walks.labels[walk], walks.values[walk],
    )  # fmt: skip


@compiled
def _part(
    corners: NDArray[np.int32],
    pinched: NDArray[np.bool_],
    of_node: NDArray[np.bool_],
    stops: Integers,
    pinches: Integers,
    ring_corners: NDArray[np.int32],
    nodes: NDArray[np.bool_],
    table: Integers,
) -> tuple[int, int]:
    """Fills the last three (ring: end of its corners, walk, area, bottom); gives how many corners and rings there are."""
    filled, count = 0, 0
    for walk in range(len(stops)):
        start, stop = stops[walk - 1] if walk else 0, stops[walk]
        first = count
        if pinches[walk]:
            some = slice(start, stop)
            filled, count = _part_walk(
                corners[some], pinched[some], of_node[some], pinches[walk], ring_corners, nodes, table, filled, count
            )
        else:
            table[count, 2:] = _put_ring(corners, of_node, start, stop, ring_corners, nodes, filled)
            filled += stop - start + 1
            table[count, 0] = filled
            count += 1
        table[first:count, 1] = walk
    return filled, count


@compiled
def _part_walk(
    corners: NDArray[np.int32],
    pinched: NDArray[np.bool_],
    of_node: NDArray[np.bool_],
    pinches: int,
    ring_corners: NDArray[np.int32],
    nodes: NDArray[np.bool_],
    table: Integers,
    filled: int,
    count: int,
) -> tuple[int, int]:
    """The rings of a walk that passes so many pinched corners, put after those there are.

    Its corners are put on a stack. When a pinched corner comes that stands on the stack already, all above it is a ring
    of its own, and is taken off. (Walks never cross themselves, so these corners nest like brackets.) Where on the stack
    a pinched corner stands is looked up in a hash table with linear probing.
    """
    stack, stack_nodes = np.empty_like(corners), np.empty_like(of_node)
    size = 1
    while size < 2 * pinches:
        size *= 2
    slots = np.full(size, -1, np.int64)  # of the hash table: positions on the stack
    top, stop = 0, len(corners)
    for k in range(stop + 1):
        bottom = 0 if k == stop else -1  # where a finished ring begins on the stack
        if k < stop and pinched[k]:
            slot = (np.int64(corners[k, 0]) * 73856093 ^ np.int64(corners[k, 1]) * 19349663) % size
            while slots[slot] >= 0:
                at = slots[slot]
                if at < top and stack[at, 0] == corners[k, 0] and stack[at, 1] == corners[k, 1]:
                    bottom = at
                    break
                slot = (slot + 1) % size
            if bottom < 0:
                slots[slot] = top
        if bottom < 0:
            stack[top, 0], stack[top, 1], stack_nodes[top] = corners[k, 0], corners[k, 1], of_node[k]
            top += 1
            continue
        table[count, 2:] = _put_ring(stack, stack_nodes, bottom, top, ring_corners, nodes, filled)
        filled += top - bottom + 1
        table[count, 0] = filled
        count += 1
        top = bottom + 1
    return filled, count


@compiled
def _put_ring(
    stack: NDArray[np.int32],
    of_node: NDArray[np.bool_],
    bottom: int,
    top: int,
    corners: NDArray[np.int32],
    nodes: NDArray[np.bool_],
    at: int,
) -> tuple[int, int]:
    """Puts the ring that stands on the stack from ``bottom`` to ``top`` at ``at``; gives its double area and lowest row."""
    begin, lowest, area = bottom, 0, 0
    for n in range(bottom, top):
        following = n + 1 if n + 1 < top else bottom
        area += np.int64(stack[n, 0]) * stack[following, 1] - np.int64(stack[n, 1]) * stack[following, 0]
        lowest = max(lowest, stack[n, 0])
        if stack[n, 0] < stack[begin, 0] or (stack[n, 0] == stack[begin, 0] and stack[n, 1] < stack[begin, 1]):
            begin = n
    for n in range(top - bottom + 1):
        source = begin + n if begin + n < top else begin + n - (top - bottom)
        corners[at + n, 0], corners[at + n, 1], nodes[at + n] = stack[source, 0], stack[source, 1], of_node[source]
    return area, lowest
