"""Step 3 of tracing: join the open contours of strips end to end across the seams.

A contour that leaves a strip through a port continues in the contour that enters the adjacent strip through the same
port. Some contours remain open until the next strips are added; at the lower edge of the image, all are closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.vector.tracing.ragged_arrays import IntArray, gather_ranges, to_offsets

NO_PORT = -1
"""Placeholder for the port of a closed contour, which has none."""

PLAIN_CORNER, NODE_CORNER, PINCHED_CORNER = range(3)
"""Kinds of corners: two borders meet; three or four borders meet; pixels of the contour's class touch diagonally."""


@dataclass(frozen=True)
class Contours:
    """Closed or open contours stored one after another; all arrays except the first two have one entry per contour."""

    corners: NDArray[np.int32]
    """(corner, 2): row and column; the first corner of a closed contour is not repeated."""
    kinds: NDArray[np.uint8]
    """(corner,): PLAIN_CORNER, NODE_CORNER or PINCHED_CORNER."""
    stops: IntArray
    """End index of the corners of each contour."""
    labels: IntArray
    """Label of the region on the left."""
    values: IntArray
    """Class of the region."""
    enters: IntArray
    """Port through which an open contour begins; NO_PORT if it is closed."""
    leaves: IntArray
    """Port through which an open contour ends; NO_PORT if it is closed."""

    @classmethod
    def concatenate(cls, parts: Sequence["Contours"]) -> "Contours":
        """Concatenate contours."""
        columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        columns["stops"] = np.cumsum(np.concatenate([np.diff(part.stops, prepend=0) for part in parts]))
        return cls(**columns)


def stitch_contours(strips: Sequence[Contours], first_labels: IntArray) -> tuple[Contours, Contours]:
    """Stitch the contours of consecutive strips.

    Args:
        strips: Contours of each strip, top to bottom.
        first_labels: For each strip, the label that its label 0 has in the result.

    Returns:
        The open and the closed contours.
    """
    relabeled = [replace(s, labels=s.labels + first) for s, first in zip(strips, first_labels, strict=True)]
    pieces = Contours.concatenate(relabeled)
    successors, heads = _find_successors(pieces.enters, pieces.leaves)
    order, begins = _order_pieces(successors, heads)
    lengths = np.diff(pieces.stops, prepend=0)
    starts, lengths = to_offsets(lengths)[:-1][order], lengths[order]
    begin = np.flatnonzero(begins)
    end = np.append(begin[1:], len(order)) if len(begin) else begin
    head, tail = order[begin], order[end - 1]
    stitched = Contours(
        corners=gather_ranges(pieces.corners, starts, lengths),
        kinds=gather_ranges(pieces.kinds, starts, lengths),
        stops=to_offsets(lengths)[end],
        labels=pieces.labels[head],
        values=pieces.values[head],
        enters=pieces.enters[head],
        leaves=pieces.leaves[tail],
    )
    return _split(stitched, len(heads))


def _split(contours: Contours, count: int) -> tuple[Contours, Contours]:
    """Split into the first ``count`` contours and the others."""
    stop = int(contours.stops[count - 1]) if count else 0
    first = Contours(
        contours.corners[:stop], contours.kinds[:stop], contours.stops[:count], contours.labels[:count],
        contours.values[:count], contours.enters[:count], contours.leaves[:count],
    )  # fmt: skip
    others = Contours(
        contours.corners[stop:], contours.kinds[stop:], contours.stops[count:] - stop, contours.labels[count:],
        contours.values[count:], contours.enters[count:], contours.leaves[count:],
    )  # fmt: skip
    return first, others


def _find_successors(enters: IntArray, leaves: IntArray) -> tuple[IntArray, IntArray]:
    """Find the successor of each piece (-1 if it is not known yet), and the open pieces that have no predecessor.

    Closed pieces are their own successors.
    """
    successors = np.arange(len(enters))
    incoming, outgoing = np.flatnonzero(enters != NO_PORT), np.flatnonzero(leaves != NO_PORT)
    successors[outgoing] = -1
    incoming = incoming[np.argsort(enters[incoming])]
    if not len(incoming):
        return successors, incoming
    ports = enters[incoming]
    match = np.minimum(np.searchsorted(ports, leaves[outgoing]), len(ports) - 1)
    is_match = ports[match] == leaves[outgoing]
    successors[outgoing[is_match]] = incoming[match[is_match]]
    is_head = np.ones(len(incoming), np.bool_)
    is_head[match[is_match]] = False
    return successors, np.sort(incoming[is_head])


@njit
def _order_pieces(successors: IntArray, heads: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """Order pieces so that the pieces of each contour are consecutive, ``heads`` first; mark where contours begin."""
    order, begins = np.empty(len(successors), np.int64), np.zeros(len(successors), np.bool_)
    done = np.zeros(len(successors), np.bool_)
    count = 0
    for k in range(len(heads) + len(successors)):
        piece = heads[k] if k < len(heads) else k - len(heads)
        if not done[piece]:
            begins[count] = True
        while piece >= 0 and not done[piece]:
            done[piece] = True
            order[count] = piece
            count += 1
            piece = successors[piece]
    return order, begins
