"""Pieces of borders to polygons: joins what the seams between strips cut, parts rings, gives holes to their shells.

A region's border is one shell and any number of holes. Where a walk passes a pinched corner twice we part it there in
two rings that touch at a point, so that every polygon is valid by the rules of OGC Simple Features: shells and holes
that touch at points are allowed, rings that touch themselves are not.

With 8-connectivity, regions of one class that touch at corners form one polygon *of several parts*; the parts are still
the 4-connected regions, because an area that hangs together at a point only is no valid single polygon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.compiled import compiled
from geoseg.vector.label import Integers, unite_pairs
from geoseg.vector.trace import CLOSED, Pieces


@dataclass(frozen=True)
class Outlines:
    """The polygons of a class raster in pixel corners, as nested runs: polygons of parts, parts of rings, rings of corners.

    Offsets are of length n + 1; item k of n is what lies from ``offsets[k]`` to ``offsets[k + 1]``.
    """

    corners: NDArray[np.int32]
    """(corner, 2): row and column of pixel corners. Rings are closed: their first corner is repeated at their end."""
    ring_offsets: Integers
    """Rings in ``corners``. Shells run counter-clockwise as seen with rows running down, holes clockwise."""
    part_offsets: Integers
    """Parts in rings: the first ring of a part is its shell, the others its holes."""
    polygon_offsets: Integers
    """Polygons in parts: always one part each with 4-connectivity."""
    values: Integers
    """(polygon,): the class."""
    pixels: Integers
    """(polygon,): how many pixels the polygon holds."""

    def __len__(self) -> int:
        return len(self.values)


def join(strips: Sequence[Pieces]) -> Outlines:
    """The polygons of an image from the pieces of its strips (top to bottom), in reading order of their first pixels."""
    region_of_label, polygon_of_label = regions(strips)
    first_labels = _starts([len(strip.parents) for strip in strips])
    labels = np.concatenate([s.labels + first for s, first in zip(strips, first_labels, strict=True)])
    values = np.concatenate([s.values for s in strips])
    corners, pinched, stops, first_pieces = closed_walks(strips)
    corners, ring_offsets, walks, double_areas = part_rings(corners, pinched, stops)

    pieces = first_pieces[walks]  # one piece of each ring
    region, polygon = region_of_label[labels[pieces]], polygon_of_label[labels[pieces]]
    order = np.lexsort((double_areas < 0, region, polygon))  # polygons, their parts, the shell before its holes
    part_starts, polygon_starts = _run_starts(region[order]), _run_starts(polygon[order])
    lengths = np.diff(ring_offsets)[order]
    return Outlines(
        corners=corners[_runs(ring_offsets[:-1][order], lengths)],
        ring_offsets=_offsets(lengths),
        part_offsets=np.append(part_starts, len(order)),
        polygon_offsets=np.append(np.searchsorted(part_starts, polygon_starts), len(part_starts)),
        values=values[pieces[order][polygon_starts]],
        pixels=np.add.reduceat(double_areas[order], polygon_starts) // 2 if len(order) else np.empty(0, np.int64),
    )


def regions(strips: Sequence[Pieces]) -> tuple[Integers, Integers]:
    """For every label of every strip, in order: its 4-connected region, and the polygon the region is part of.

    Both are named by their smallest label, labels counting on from strip to strip.
    """
    firsts = _starts([len(strip.parents) for strip in strips])
    parents = np.concatenate([strip.parents + first for strip, first in zip(strips, firsts, strict=True)])
    seams = [np.empty((2, 0), np.int64)]
    for k in range(1, len(strips)):
        touch = strips[k].top > 0
        seams.append(np.stack([strips[k - 1].bottom[touch] + firsts[k - 1], strips[k].top[touch] + firsts[k]]))
    region = unite_pairs(parents, *np.concatenate(seams, axis=1))
    diagonal = np.concatenate([s.diagonal + first for s, first in zip(strips, firsts, strict=True)])
    if not len(diagonal):
        return region, region
    return region, unite_pairs(region.copy(), *np.ascontiguousarray(diagonal.T))


def closed_walks(strips: Sequence[Pieces]) -> tuple[NDArray[np.int32], NDArray[np.bool_], Integers, Integers]:
    """The corners of whole walks one after another, which are pinched, where each walk ends, and its first piece."""
    corners, pinched = np.concatenate([s.corners for s in strips]), np.concatenate([s.pinched for s in strips])
    lengths = np.concatenate([np.diff(s.stops, prepend=0) for s in strips])
    enters, leaves = np.concatenate([s.enters for s in strips]), np.concatenate([s.leaves for s in strips])
    if not (enters != CLOSED).any():
        return corners, pinched, np.cumsum(lengths), np.arange(len(lengths))
    order, begins = piece_order(_followers(enters, leaves))
    firsts = np.flatnonzero(begins)
    source = _runs(_starts(lengths)[order], lengths[order])
    stops = np.append(np.cumsum(lengths[order]), 0)[np.append(firsts[1:], len(order)) - 1]
    return corners[source], pinched[source], stops, order[firsts]


def _followers(enters: Integers, leaves: Integers) -> Integers:
    """The piece that goes on where each piece ends: the one that enters by the port it leaves by; itself if closed."""
    followers = np.arange(len(enters))
    incoming, outgoing = np.flatnonzero(enters != CLOSED), np.flatnonzero(leaves != CLOSED)
    incoming = incoming[np.argsort(enters[incoming])]
    followers[outgoing] = incoming[np.searchsorted(enters[incoming], leaves[outgoing])]
    return followers


@compiled
def piece_order(followers: Integers) -> tuple[Integers, Integers]:
    """Pieces ordered so that each walk's pieces stand together in turn; 1 where a walk begins in that order, else 0."""
    order, begins = np.empty(len(followers), np.int64), np.zeros(len(followers), np.int64)
    done = np.zeros(len(followers), np.bool_)
    count = 0
    for first in range(len(followers)):
        piece = first
        if not done[piece]:
            begins[count] = 1
        while not done[piece]:
            done[piece] = True
            order[count] = piece
            count += 1
            piece = followers[piece]
    return order, begins


def part_rings(
    corners: NDArray[np.int32], pinched: NDArray[np.bool_], stops: Integers
) -> tuple[NDArray[np.int32], Integers, Integers, Integers]:
    """Simple closed rings from walks: corners, ring offsets, the walk each ring is from, twice its signed pixel area."""
    limit = len(corners) // 4 + 1  # a ring has at least four corners
    rings = np.empty((len(corners) + limit, 2), np.int32)
    table = np.empty((limit, 3), np.int64)
    pinches = np.add.reduceat(pinched, stops - np.diff(stops, prepend=0), dtype=np.int64) if len(stops) else stops
    filled, count = _part(corners, pinched, stops, pinches, rings, table)
    stops, walks, areas = table[:count].T.copy()
    return rings[:filled], np.concatenate([np.zeros(1, np.int64), stops]), walks, areas


@compiled
def _part(
    corners: NDArray[np.int32],
    pinched: NDArray[np.bool_],
    stops: Integers,
    pinches: Integers,
    rings: NDArray[np.int32],
    table: Integers,
) -> tuple[int, int]:
    """Fills ``rings`` and ``table`` (ring, 3: end of its corners, walk, area); how many corners and rings there are.

    A walk's corners are put on a stack. When a pinched corner comes that stands on the stack already, all above it is a
    ring of its own, and is taken off. (Walks never cross themselves, so these corners nest like brackets.) Where on the
    stack a pinched corner stands is looked up in a hash table with linear probing, as large as the walk has use for.
    """
    filled, count, longest = 0, 0, 0
    for walk in range(len(stops)):
        longest = max(longest, stops[walk] - (stops[walk - 1] if walk else 0))
    stack = np.empty((longest, 2), np.int32)
    for walk in range(len(stops)):
        size = 1
        while size < 2 * pinches[walk]:
            size *= 2
        slots = np.full(size, -1, np.int64)  # of the hash table: positions on the stack
        top, stop = 0, stops[walk]
        for k in range(stops[walk - 1] if walk else 0, stop + 1):
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
                stack[top, 0], stack[top, 1] = corners[k, 0], corners[k, 1]
                top += 1
                continue
            area = 0
            for n in range(bottom, top):
                following = n + 1 if n + 1 < top else bottom
                area += np.int64(stack[n, 0]) * stack[following, 1] - np.int64(stack[n, 1]) * stack[following, 0]
                rings[filled, 0], rings[filled, 1] = stack[n, 0], stack[n, 1]
                filled += 1
            rings[filled, 0], rings[filled, 1] = stack[bottom, 0], stack[bottom, 1]
            filled += 1
            table[count, 0], table[count, 1], table[count, 2] = filled, walk, area
            count += 1
            top = bottom + 1
    return filled, count


def _starts(lengths: Sequence[int] | Integers) -> Integers:
    """Where runs of these lengths begin, one after another."""
    return _offsets(lengths)[:-1]


def _offsets(lengths: Sequence[int] | Integers) -> Integers:
    """Where runs of these lengths begin, and where the last one ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _runs(starts: Integers, lengths: Integers) -> Integers:
    """Indices of runs of consecutive numbers: from starts (4, 9) and lengths (2, 3) come 4, 5, 9, 10, 11."""
    return np.repeat(starts - _starts(lengths), lengths) + np.arange(lengths.sum())


def _run_starts(names: Integers) -> Integers:
    """Where the name changes."""
    return np.flatnonzero(np.diff(names, prepend=-1))
