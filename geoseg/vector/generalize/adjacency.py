"""Find the borders shared by polygons in a coverage, and choose the neighbor that each small polygon is merged into."""

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray


class Borders(NamedTuple):
    """Pairs of polygons that share a border, given by their positions; each pair is listed in both orders."""

    first: IntArray
    """(border,): position of one polygon."""
    second: IntArray
    """(border,): position of the other polygon."""
    length: FloatArray
    """(border,): length of the shared border."""


def find_shared_borders(geometries: NDArray[np.object_]) -> Borders:
    """Find the shared borders in a coverage, with lengths in CRS units; hashing finds segments that occur twice."""
    ends, owner = list_segments(geometries)
    swap = (ends[:, 0] > ends[:, 2]) | ((ends[:, 0] == ends[:, 2]) & (ends[:, 1] > ends[:, 3]))
    ends[swap] = ends[swap][:, [2, 3, 0, 1]]
    bits = (ends + 0.0).view(np.uint64)  # + 0.0 turns -0.0 into 0.0
    key = np.zeros(len(bits), np.uint64)
    for column in bits.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    order = np.argsort(key, kind="stable")
    is_pair = (ends[order[1:]] == ends[order[:-1]]).all(axis=1)
    one, other = order[1:][is_pair], order[:-1][is_pair]
    length = np.hypot(ends[one, 2] - ends[one, 0], ends[one, 3] - ends[one, 1])
    one, other = owner[one], owner[other]
    return _sum_borders(np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([length, length]))


def find_merge_targets(borders: Borders, areas: FloatArray, min_area: float) -> IntArray:
    """Determine which polygon each polygon is merged into.

    Small polygons are merged in ascending order of area, each into the neighbor with the longest shared border. A
    polygon that has grown to the minimum area in the meantime is kept. Each round merges all small polygons that have
    no smaller neighbor; no two of these share a border.

    Args:
        borders: The shared borders.
        areas: Area of each polygon.
        min_area: Polygons smaller than this area are merged, in the unit of ``areas``.

    Returns:
        For each polygon, the position of the polygon it is merged into, or its own position if it is kept.
    """
    areas, owner = areas.copy(), np.arange(len(areas))
    first, second, length = borders
    while True:
        is_open = np.minimum(areas[first], areas[second]) < min_area
        first, second, length = _sum_borders(first[is_open], second[is_open], length[is_open])
        has_smaller = (areas[second] < areas[first]) | ((areas[second] == areas[first]) & (second < first))
        waits = np.zeros(len(areas), np.bool_)
        waits[first[has_smaller]] = True
        merges = np.flatnonzero((areas[first] < min_area) & ~waits[first])
        if not len(merges):
            return owner
        merges = merges[np.lexsort((second[merges], -areas[second[merges]], -length[merges], first[merges]))]
        merges = merges[np.diff(first[merges], prepend=-1) > 0]  # the longest border of each polygon
        target = np.arange(len(areas))
        target[first[merges]] = second[merges]
        np.add.at(areas, second[merges], areas[first[merges]])
        owner, first, second = target[owner], target[first], target[second]


def list_segments(geometries: NDArray[np.object_]) -> tuple[FloatArray, IntArray]:
    """List the segments of all rings (segment, 4: x, y, x, y), and the position of the polygon that each belongs to."""
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.flatnonzero(np.diff(point_ring) == 0)
    return np.concatenate([points[starts], points[starts + 1]], axis=1), part_owner[ring_part[point_ring[starts]]]


def _sum_borders(first: IntArray, second: IntArray, length: FloatArray) -> Borders:
    """Sum the lengths for identical pairs, and drop borders between a polygon and itself."""
    differs = first != second
    first, second, length = first[differs], second[differs], length[differs]
    order = np.lexsort((second, first))
    first, second, length = first[order], second[order], length[order]
    starts = np.flatnonzero((np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0))
    return Borders(first[starts], second[starts], np.add.reduceat(length, starts) if len(starts) else length)
