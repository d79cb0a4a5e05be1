"""Rings to polygons, while the strips of an image come in: holes go to their shells, and what is finished is given away.

A region's border is one shell and any number of holes. With 8-connectivity, regions of one class that touch at corners
form one polygon *of several parts*; the parts are still the 4-connected regions, because an area that hangs together at a
point only is no valid single polygon.

A polygon is finished when none of its pixels lies in the last row that was seen. Polygons come in the order of their
lowest rows, those that end in one row in reading order of their first pixels: however the image is cut into strips.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.tracing.connected_components import Integers, unite_pairs
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.ragged_arrays import offsets, starts_of
from geoseg.vector.tracing.split_rings import Rings, part_rings
from geoseg.vector.tracing.stitch_contours import Walks, put_together
from geoseg.vector.tracing.trace_strip import Pieces

PLACE_BITS = 33
"""Of the place of a corner in an image of up to 92 000 x 92 000 pixels; larger ones are sorted in a slower way."""


class Joiner:
    """Takes the strips of an image of one width, top to bottom, and gives the polygons that they finish."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rings = Rings.none()
        self._open = _above(width)

    def add(self, strips: Sequence[Pieces], *, last: bool = False) -> Outlines:
        """The polygons that end in these strips; after the ``last``, all that are left."""
        strips = [self._open, *strips]
        firsts = offsets([len(strip.parents) for strip in strips])
        region, polygon = regions(strips)
        open_walks, closed = put_together([strip.walks for strip in strips], firsts[:-1])
        rings = Rings.joined([self._rings, part_rings(closed)])
        bottom = np.where(strips[-1].bottom > 0, strips[-1].bottom + firsts[-2], 0)
        unfinished = np.zeros(len(polygon), np.bool_)
        if not last:
            unfinished[polygon[bottom[bottom > 0]]] = True
        sums = np.concatenate([strip.sums for strip in strips]) if len(strips[-1].sums) else None
        waits = unfinished[polygon[rings.labels]]
        self._carry(rings.chosen(np.flatnonzero(waits)), open_walks, bottom, region, polygon, sums)
        ordered = rings.chosen(_order(rings, np.flatnonzero(~waits), region, polygon, self._width))
        return _outlines(ordered, region, polygon, sums, self._width)

    def _carry(
        self,
        rings: Rings,
        walks: Walks,
        bottom: Integers,
        region: Integers,
        polygon: Integers,
        sums: NDArray[np.float64] | None,
    ) -> None:
        """Keeps what is unfinished, as if it were a strip of its own, its labels counted anew."""
        of_ring, of_walk, of_bottom = region[rings.labels], region[walks.labels], region[bottom]
        names = np.unique(np.concatenate([np.zeros(1, np.int64), of_ring, of_walk, of_bottom]))
        roots, position = np.unique(polygon[names], return_inverse=True)
        leaders = _first_of(position, len(roots))
        members = np.arange(len(names))
        apart = leaders[position] != members
        self._rings = replace(rings, labels=np.searchsorted(names, of_ring))
        self._open = Pieces(
            walks=replace(walks, labels=np.searchsorted(names, of_walk)),
            parents=members,
            diagonal=np.stack([leaders[position], members], axis=1)[apart],
            top=np.empty(0, np.int64),
            bottom=np.searchsorted(names, of_bottom),
            sums=np.zeros((len(names), 2)) if sums is None else _summed(sums, region)[names],
        )


class Labelled(Protocol):
    """Labels of a strip and of the row above it; see Pieces."""

    @property
    def parents(self) -> Integers: ...  # noqa: D102
    @property
    def diagonal(self) -> Integers: ...  # noqa: D102
    @property
    def top(self) -> Integers: ...  # noqa: D102
    @property
    def bottom(self) -> Integers: ...  # noqa: D102


def regions(strips: Sequence[Labelled]) -> tuple[Integers, Integers]:
    """For every label of every strip, in order: its 4-connected region, and the polygon the region is part of.

    Both are named by their smallest label, labels counting on from strip to strip.
    """
    firsts = offsets([len(strip.parents) for strip in strips])[:-1]
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


def _order(rings: Rings, finished: Integers, region: Integers, polygon: Integers, width: int) -> Integers:
    """The finished rings (by position) in order: polygons, their parts, the shell before its holes."""
    labels = rings.labels[finished]
    of_region, of_polygon = region[labels], polygon[labels]
    lowest = np.zeros(len(polygon), np.int64)
    np.maximum.at(lowest, of_polygon, rings.bottoms[finished])
    parts = np.zeros(len(region), np.bool_)
    parts[of_region] = True
    names = np.flatnonzero(parts)
    rank = np.empty(len(region), np.int64)
    rank[names[np.lexsort((names, polygon[names], lowest[polygon[names]]))]] = np.arange(len(names))
    tops = rings.tops[finished].astype(np.int64)
    place = tops[:, 0] * (width + 1) + tops[:, 1]  # of corners, of which a row has one more than pixels
    place += (rings.double_areas[finished] < 0) << PLACE_BITS
    if place.max(initial=0) >= 2 << PLACE_BITS or len(names) >= 1 << (62 - PLACE_BITS):
        order = np.lexsort((place, rank[of_region]))
    else:
        order = np.argsort((rank[of_region] << (PLACE_BITS + 1)) | place, kind="stable")  # fast on what is half sorted
    ordered: Integers = finished[order]
    return ordered


def _outlines(
    ordered: Rings, region: Integers, polygon: Integers, sums: NDArray[np.float64] | None, width: int
) -> Outlines:
    """The polygons of rings in order."""
    of_region, of_polygon = region[ordered.labels], polygon[ordered.labels]
    part_starts, polygon_starts = starts_of(of_region), starts_of(of_polygon)
    tops = ordered.tops[polygon_starts].astype(np.int64)
    return Outlines(
        corners=ordered.corners,
        nodes=ordered.nodes,
        ring_offsets=offsets(ordered.lengths),
        part_offsets=np.append(part_starts, len(of_region)),
        polygon_offsets=np.append(np.searchsorted(part_starts, polygon_starts), len(part_starts)),
        values=ordered.values[polygon_starts],
        pixels=np.add.reduceat(ordered.double_areas, polygon_starts) // 2 if len(of_region) else of_region,
        ids=tops[:, 0] * width + tops[:, 1],
        means=_means(sums, polygon, of_polygon[polygon_starts]),
    )


def _means(sums: NDArray[np.float64] | None, polygon: Integers, chosen: Integers) -> NDArray[np.float64]:
    if sums is None:
        return np.full(len(chosen), np.nan)
    total, number = _summed(sums, polygon)[chosen].T
    means: NDArray[np.float64] = np.divide(total, number, out=np.full(len(chosen), np.nan), where=number > 0)
    return means


def _summed(sums: NDArray[np.float64], names: Integers) -> NDArray[np.float64]:
    """(label, 2): the sums of all labels of one name, at that name."""
    return np.stack([np.bincount(names, column, len(names)) for column in sums.T], axis=1)


def _first_of(groups: Integers, count: int) -> Integers:
    """The position of the first member of each group."""
    first = np.full(count, len(groups), np.int64)
    np.minimum.at(first, groups, np.arange(len(groups)))
    return first


def _above(width: int) -> Pieces:
    """What lies above an image: background."""
    none = np.empty(0, np.int64)
    return Pieces(
        walks=Walks(np.empty((0, 2), np.int32), np.empty(0, np.uint8), none, none, none, none, none),
        parents=np.zeros(1, np.int64),
        diagonal=np.empty((0, 2), np.int64),
        top=none,
        bottom=np.zeros(width + 2, np.int64),
        sums=np.zeros((1, 2)),
    )
