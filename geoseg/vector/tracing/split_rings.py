"""Step 4 of tracing: split closed contours into simple rings.

A contour that passes through a pinched corner twice is split there into two rings that touch at a point. This makes the
polygons valid according to OGC Simple Features, where shells and holes may touch at points but a ring must not touch
itself. Every ring begins at its uppermost corner (the leftmost one if there are several), so the rings do not depend on
how the image is cut into strips.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.vector.tracing.ragged_arrays import IntArray, gather_ranges, to_offsets
from geoseg.vector.tracing.stitch_contours import NODE_CORNER, PINCHED_CORNER, Contours


@dataclass(frozen=True)
class Rings:
    """Closed rings stored one after another; all arrays except the first two have one entry per ring."""

    corners: NDArray[np.int32]
    """(corner, 2): row and column; the first corner of a ring is repeated at its end."""
    is_node: NDArray[np.bool_]
    """(corner,): True where three or four borders meet."""
    lengths: IntArray
    """Number of corners, including the repeated one."""
    double_areas: IntArray
    """Twice the number of pixels inside, negative for holes."""
    bottoms: IntArray
    """Row of the lowest corner."""
    labels: IntArray
    """Label of the region that the ring bounds."""
    values: IntArray
    """Class of the region."""

    @classmethod
    def empty(cls) -> Self:
        """Create an empty collection of rings."""
        none = np.empty(0, np.int64)
        return cls(np.empty((0, 2), np.int32), np.empty(0, np.bool_), none, none, none, none, none)

    @classmethod
    def concatenate(cls, parts: Sequence["Rings"]) -> Self:
        """Concatenate rings."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def tops(self) -> NDArray[np.int32]:
        """(ring, 2): the first corner of each ring: its uppermost corner, or the leftmost of several uppermost ones."""
        return self.corners[to_offsets(self.lengths)[:-1]]

    def take(self, positions: IntArray) -> "Rings":
        """Copy the rings at these positions."""
        lengths = self.lengths[positions]
        starts = to_offsets(self.lengths)[:-1][positions]
        return Rings(
            corners=gather_ranges(self.corners, starts, lengths),
            is_node=gather_ranges(self.is_node, starts, lengths),
            lengths=lengths,
            double_areas=self.double_areas[positions],
            bottoms=self.bottoms[positions],
            labels=self.labels[positions],
            values=self.values[positions],
        )


def split_rings(contours: Contours) -> Rings:
    """Split closed contours into simple rings."""
    max_rings = len(contours.corners) // 4 + 1  # a ring has at least four corners
    capacity = len(contours.corners) + max_rings
    corners, is_node = np.empty((capacity, 2), np.int32), np.empty(capacity, np.bool_)
    table = np.empty((max_rings, 4), np.int64)
    is_pinched, starts = contours.kinds == PINCHED_CORNER, contours.stops - np.diff(contours.stops, prepend=0)
    pinches = np.add.reduceat(is_pinched, starts, dtype=np.int64) if len(starts) else starts
    corner_count, ring_count = _split_all(
        contours.corners, is_pinched, contours.kinds >= NODE_CORNER, contours.stops, pinches, corners, is_node, table
    )
    stops, contour, double_areas, bottoms = table[:ring_count].T.copy()
    return Rings(
        corners=corners[:corner_count],
        is_node=is_node[:corner_count],
        lengths=np.diff(stops, prepend=0),
        double_areas=double_areas,
        bottoms=bottoms,
        labels=contours.labels[contour],
        values=contours.values[contour],
    )


@njit
def _split_all(
    corners: NDArray[np.int32],
    is_pinched: NDArray[np.bool_],
    is_node: NDArray[np.bool_],
    stops: IntArray,
    pinches: IntArray,
    ring_corners: NDArray[np.int32],
    ring_nodes: NDArray[np.bool_],
    table: IntArray,
) -> tuple[int, int]:
    """Fill the last three arrays; return the number of corners and the number of rings.

    The columns of the table (ring, 4) are the end index of the ring's corners, the contour, twice the area, and the
    lowest row. ``pinches`` is the number of pinched corners in each contour.
    """
    corner_count, ring_count = 0, 0
    for contour in range(len(stops)):
        start, stop = stops[contour - 1] if contour else 0, stops[contour]
        first = ring_count
        if pinches[contour]:
            span = slice(start, stop)
            corner_count, ring_count = _split_contour(
                corners[span], is_pinched[span], is_node[span], pinches[contour],
                ring_corners, ring_nodes, table, corner_count, ring_count,
            )  # fmt: skip
        else:
            table[ring_count, 2:] = _put_ring(corners, is_node, start, stop, ring_corners, ring_nodes, corner_count)
            corner_count += stop - start + 1
            table[ring_count, 0] = corner_count
            ring_count += 1
        table[first:ring_count, 1] = contour
    return corner_count, ring_count


@njit
def _split_contour(
    corners: NDArray[np.int32],
    is_pinched: NDArray[np.bool_],
    is_node: NDArray[np.bool_],
    pinches: int,
    ring_corners: NDArray[np.int32],
    ring_nodes: NDArray[np.bool_],
    table: IntArray,
    corner_count: int,
    ring_count: int,
) -> tuple[int, int]:
    """Append the rings of one contour; return the new number of corners and the new number of rings.

    The corners are pushed onto a stack. If a pinched corner is already on the stack, all corners above it form a ring
    and are popped. (Contours never cross themselves, so these corners nest like parentheses.) The position of a pinched
    corner on the stack is looked up in a hash table with linear probing.
    """
    stack, stack_nodes = np.empty_like(corners), np.empty_like(is_node)
    size = 1
    while size < 2 * pinches:
        size *= 2
    slots = np.full(size, -1, np.int64)  # hash table of positions on the stack
    top, stop = 0, len(corners)
    for k in range(stop + 1):
        bottom = 0 if k == stop else -1  # position on the stack at which a complete ring begins
        if k < stop and is_pinched[k]:
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
            stack[top, 0], stack[top, 1], stack_nodes[top] = corners[k, 0], corners[k, 1], is_node[k]
            top += 1
            continue
        table[ring_count, 2:] = _put_ring(stack, stack_nodes, bottom, top, ring_corners, ring_nodes, corner_count)
        corner_count += top - bottom + 1
        table[ring_count, 0] = corner_count
        ring_count += 1
        top = bottom + 1
    return corner_count, ring_count


@njit
def _put_ring(
    corners: NDArray[np.int32],
    is_node: NDArray[np.bool_],
    start: int,
    stop: int,
    ring_corners: NDArray[np.int32],
    ring_nodes: NDArray[np.bool_],
    at: int,
) -> tuple[int, int]:
    """Copy corners ``start`` to ``stop`` as a ring to position ``at``; return twice its area and its lowest row."""
    begin, lowest, area = start, 0, 0
    for n in range(start, stop):
        following = n + 1 if n + 1 < stop else start
        area += np.int64(corners[n, 0]) * corners[following, 1] - np.int64(corners[n, 1]) * corners[following, 0]
        lowest = max(lowest, corners[n, 0])
        if corners[n, 0] < corners[begin, 0] or (
            corners[n, 0] == corners[begin, 0] and corners[n, 1] < corners[begin, 1]
        ):
            begin = n
    for n in range(stop - start + 1):
        source = begin + n if begin + n < stop else begin + n - (stop - start)
        ring_corners[at + n, 0], ring_corners[at + n, 1] = corners[source, 0], corners[source, 1]
        ring_nodes[at + n] = is_node[source]
    return area, lowest
