"""Pieces of borders put end to end: what the seams between strips cut becomes whole walks again.

A piece that leaves a strip through a port is followed by the piece that enters there. At the image's lower edge all walks
are closed; higher up some still hang open, and wait for the strips below.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.ragged_arrays import copied, offsets

CLOSED = -1
"""Stands for a port in walks that are whole."""

PLAIN, NODE, PINCHED = range(3)
"""Kinds of corners: two borders meet there, more than two, or four of which two are our region's."""


@dataclass(frozen=True)
class Walks:
    """Walks around regions, one after another, whole or in pieces; arrays of one length describe one walk each."""

    corners: NDArray[np.int32]
    """(corner, 2): row and column."""
    kinds: NDArray[np.uint8]
    """(corner,): PLAIN, NODE or PINCHED."""
    stops: Integers
    """Where each walk's corners end."""
    labels: Integers
    """The region on the left."""
    values: Integers
    """The region's class."""
    enters: Integers
    """The port an open walk comes in by, CLOSED in closed walks."""
    leaves: Integers
    """The port an open walk goes out by, CLOSED in closed walks."""


def put_together(strips: Sequence[Walks], firsts: Integers) -> tuple[Walks, Walks]:
    """The open and the closed walks of some strips, top to bottom; labels of strip k count from ``firsts[k]``."""
    lengths = np.concatenate([np.diff(s.stops, prepend=0) for s in strips])
    enters, leaves = np.concatenate([s.enters for s in strips]), np.concatenate([s.leaves for s in strips])
    labels = np.concatenate([s.labels + first for s, first in zip(strips, firsts, strict=True)])
    values = np.concatenate([s.values for s in strips])
    corners, kinds = np.concatenate([s.corners for s in strips]), np.concatenate([s.kinds for s in strips])
    followers, heads = _followers(enters, leaves)
    order, begins = _piece_order(followers, heads)
    starts = offsets(lengths)[:-1][order]
    begin = np.flatnonzero(begins)
    stops = offsets(lengths[order])[np.append(begin[1:], len(order))] if len(begin) else begin
    head, tail = order[begin], order[np.append(begin[1:], len(order)) - 1] if len(begin) else begin
    walks = Walks(
        copied(corners, starts, lengths[order]), copied(kinds, starts, lengths[order]), stops,
        labels[head], values[head], enters[head], leaves[tail],
    )  # fmt: skip
    return _split(walks, len(heads))


def _split(walks: Walks, count: int) -> tuple[Walks, Walks]:
    """The first ``count`` walks, and the others."""
    at = int(walks.stops[count - 1]) if count else 0
    first = Walks(
        walks.corners[:at], walks.kinds[:at], walks.stops[:count], walks.labels[:count], walks.values[:count],
        walks.enters[:count], walks.leaves[:count],
    )  # fmt: skip
    other = Walks(
        walks.corners[at:], walks.kinds[at:], walks.stops[count:] - at, walks.labels[count:], walks.values[count:],
        walks.enters[count:], walks.leaves[count:],
    )  # fmt: skip
    return first, other


def _followers(enters: Integers, leaves: Integers) -> tuple[Integers, Integers]:
    """The piece that goes on where each piece ends (-1: none yet); the pieces that go on from none.

    Closed pieces follow themselves.
    """
    followers = np.arange(len(enters))
    incoming, outgoing = np.flatnonzero(enters != CLOSED), np.flatnonzero(leaves != CLOSED)
    followers[outgoing] = -1
    incoming = incoming[np.argsort(enters[incoming])]
    if not len(incoming):
        return followers, incoming
    ports = enters[incoming]
    into = np.minimum(np.searchsorted(ports, leaves[outgoing]), len(ports) - 1)
    met = ports[into] == leaves[outgoing]
    followers[outgoing[met]] = incoming[into[met]]
    headless = np.ones(len(incoming), np.bool_)
    headless[into[met]] = False
    return followers, np.sort(incoming[headless])


@compiled
def _piece_order(followers: Integers, heads: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Pieces ordered so that each walk's pieces stand together in turn, those of ``heads`` first; True where one begins."""
    order, begins = np.empty(len(followers), np.int64), np.zeros(len(followers), np.bool_)
    done = np.zeros(len(followers), np.bool_)
    count = 0
    for k in range(len(heads) + len(followers)):
        piece = heads[k] if k < len(heads) else k - len(heads)
        if not done[piece]:
            begins[count] = True
        while piece >= 0 and not done[piece]:
            done[piece] = True
            order[count] = piece
            count += 1
            piece = followers[piece]
    return order, begins
