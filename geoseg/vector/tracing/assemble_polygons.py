"""Step 5 of tracing: assemble rings into polygons, and return polygons as soon as they are complete.

The border of a region consists of one shell and any number of holes. With 8-connectivity, regions of the same class that
touch at corners form one polygon with several parts. The parts are still the 4-connected regions, because an area that
is connected only at a point is not a valid single polygon.

A polygon is complete once the last row that was read contains none of its pixels. Polygons are sorted by their last row
and, if they end in the same row, by their first pixel in reading order, regardless of how the image is cut into strips.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from geoseg.vector.tracing.connected_components import unite_pairs
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray, find_starts, to_offsets
from geoseg.vector.tracing.split_rings import Rings, split_rings
from geoseg.vector.tracing.stitch_contours import Contours, stitch_contours
from geoseg.vector.tracing.trace_strip import StripContours

CORNER_BITS = 33
"""Number of bits in a corner index for images of up to 92,000 x 92,000 pixels; sorting is slower for larger images."""


class PolygonAssembler:
    """Builds the polygons of an image from its strips, from top to bottom."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rings = Rings.empty()
        self._unfinished = _row_above_image(width)

    def add(self, strips: Sequence[StripContours], *, is_last: bool = False) -> Outlines:
        """Add the next strips.

        Args:
            strips: Contours of consecutive strips.
            is_last: True if these are the last strips of the image.

        Returns:
            The polygons that are completed by these strips; if ``is_last``, all remaining polygons.
        """
        strips = [self._unfinished, *strips]
        first_labels = to_offsets([len(strip.parents) for strip in strips])
        region, polygon = unite_regions(strips)
        open_contours, closed = stitch_contours([strip.contours for strip in strips], first_labels[:-1])
        rings = Rings.concatenate([self._rings, split_rings(closed)])
        bottom = np.where(strips[-1].bottom > 0, strips[-1].bottom + first_labels[-2], 0)
        is_unfinished = np.zeros(len(polygon), np.bool_)
        if not is_last:
            is_unfinished[polygon[bottom[bottom > 0]]] = True
        sums = np.concatenate([strip.weight_sums for strip in strips]) if len(strips[-1].weight_sums) else None
        waits = is_unfinished[polygon[rings.labels]]
        self._carry_over(rings.take(np.flatnonzero(waits)), open_contours, bottom, region, polygon, sums)
        ordered = rings.take(_sort_rings(rings, np.flatnonzero(~waits), region, polygon, self._width))
        return _build_outlines(ordered, region, polygon, sums, self._width)

    def _carry_over(
        self,
        rings: Rings,
        contours: Contours,
        bottom: IntArray,
        region: IntArray,
        polygon: IntArray,
        sums: FloatArray | None,
    ) -> None:
        """Store the unfinished part as a strip with new consecutive labels."""
        ring_region, contour_region, bottom_region = region[rings.labels], region[contours.labels], region[bottom]
        regions = np.unique(np.concatenate([np.zeros(1, np.int64), ring_region, contour_region, bottom_region]))
        polygons, position = np.unique(polygon[regions], return_inverse=True)
        leaders = _find_first_members(position, len(polygons))
        labels = np.arange(len(regions))
        is_follower = leaders[position] != labels
        self._rings = replace(rings, labels=np.searchsorted(regions, ring_region))
        self._unfinished = StripContours(
            contours=replace(contours, labels=np.searchsorted(regions, contour_region)),
            parents=labels,
            diagonal=np.stack([leaders[position], labels], axis=1)[is_follower],
            top=np.empty(0, np.int64),
            bottom=np.searchsorted(regions, bottom_region),
            weight_sums=np.zeros((len(regions), 2)) if sums is None else _sum_by_key(sums, region)[regions],
        )


class LabeledStrip(Protocol):
    """Labels in a strip and in the row above it; see StripContours."""

    @property
    def parents(self) -> IntArray: ...  # noqa: D102
    @property
    def diagonal(self) -> IntArray: ...  # noqa: D102
    @property
    def top(self) -> IntArray: ...  # noqa: D102
    @property
    def bottom(self) -> IntArray: ...  # noqa: D102


def unite_regions(strips: Sequence[LabeledStrip]) -> tuple[IntArray, IntArray]:
    """Unite the labels of consecutive strips.

    Args:
        strips: Labels of the strips, top to bottom.

    Returns:
        For every label (numbered consecutively over all strips), the 4-connected region and the polygon to which it
        belongs. Each is identified by its smallest label.
    """
    first_labels = to_offsets([len(strip.parents) for strip in strips])[:-1]
    parents = np.concatenate([strip.parents + first for strip, first in zip(strips, first_labels, strict=True)])
    seams = [np.empty((2, 0), np.int64)]
    for k in range(1, len(strips)):
        touch = strips[k].top > 0
        upper, lower = strips[k - 1].bottom[touch] + first_labels[k - 1], strips[k].top[touch] + first_labels[k]
        seams.append(np.stack([upper, lower]))
    region = unite_pairs(parents, *np.concatenate(seams, axis=1))
    diagonal = np.concatenate([s.diagonal + first for s, first in zip(strips, first_labels, strict=True)])
    if not len(diagonal):
        return region, region
    return region, unite_pairs(region.copy(), *np.ascontiguousarray(diagonal.T))


def _sort_rings(rings: Rings, complete: IntArray, region: IntArray, polygon: IntArray, width: int) -> IntArray:
    """Sort the positions of complete rings by polygon and part, with each shell before its holes."""
    labels = rings.labels[complete]
    ring_region, ring_polygon = region[labels], polygon[labels]
    lowest = np.zeros(len(polygon), np.int64)
    np.maximum.at(lowest, ring_polygon, rings.bottoms[complete])
    is_part = np.zeros(len(region), np.bool_)
    is_part[ring_region] = True
    parts = np.flatnonzero(is_part)
    rank = np.empty(len(region), np.int64)
    rank[parts[np.lexsort((parts, polygon[parts], lowest[polygon[parts]]))]] = np.arange(len(parts))
    tops = rings.tops[complete].astype(np.int64)
    corner = tops[:, 0] * (width + 1) + tops[:, 1]  # a row has one more corner than pixels
    corner += (rings.double_areas[complete] < 0) << CORNER_BITS
    if corner.max(initial=0) >= 2 << CORNER_BITS or len(parts) >= 1 << (62 - CORNER_BITS):
        order = np.lexsort((corner, rank[ring_region]))
    else:  # a stable sort is faster, because the rings are partly sorted
        order = np.argsort((rank[ring_region] << (CORNER_BITS + 1)) | corner, kind="stable")
    ordered: IntArray = complete[order]
    return ordered


def _build_outlines(
    ordered: Rings, region: IntArray, polygon: IntArray, sums: FloatArray | None, width: int
) -> Outlines:
    """Group sorted rings into polygons."""
    ring_region, ring_polygon = region[ordered.labels], polygon[ordered.labels]
    part_starts, polygon_starts = find_starts(ring_region), find_starts(ring_polygon)
    tops = ordered.tops[polygon_starts].astype(np.int64)
    double_areas = ordered.double_areas
    return Outlines(
        corners=ordered.corners,
        is_node=ordered.is_node,
        ring_offsets=to_offsets(ordered.lengths),
        part_offsets=np.append(part_starts, len(ring_region)),
        polygon_offsets=np.append(np.searchsorted(part_starts, polygon_starts), len(part_starts)),
        values=ordered.values[polygon_starts],
        pixel_counts=np.add.reduceat(double_areas, polygon_starts) // 2 if len(ring_region) else ring_region,
        ids=tops[:, 0] * width + tops[:, 1],
        mean_weights=_average_weights(sums, polygon, ring_polygon[polygon_starts]),
    )


def _average_weights(sums: FloatArray | None, polygon: IntArray, selected: IntArray) -> FloatArray:
    if sums is None:
        return np.full(len(selected), np.nan)
    total, number = _sum_by_key(sums, polygon)[selected].T
    means: FloatArray = np.divide(total, number, out=np.full(len(selected), np.nan), where=number > 0)
    return means


def _sum_by_key(sums: FloatArray, keys: IntArray) -> FloatArray:
    """Sum the rows of ``sums`` (label, 2) that have the same key; the key is the position of the sum in the result."""
    return np.stack([np.bincount(keys, column, len(keys)) for column in sums.T], axis=1)


def _find_first_members(groups: IntArray, count: int) -> IntArray:
    """Find the position of the first member of each group."""
    first = np.full(count, len(groups), np.int64)
    np.minimum.at(first, groups, np.arange(len(groups)))
    return first


def _row_above_image(width: int) -> StripContours:
    """Create a strip of background pixels, with which the assembly starts."""
    none = np.empty(0, np.int64)
    return StripContours(
        contours=Contours(np.empty((0, 2), np.int32), np.empty(0, np.uint8), none, none, none, none, none),
        parents=np.zeros(1, np.int64),
        diagonal=np.empty((0, 2), np.int64),
        top=none,
        bottom=np.zeros(width + 2, np.int64),
        weight_sums=np.zeros((1, 2)),
    )
