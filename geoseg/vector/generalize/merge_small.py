"""Takes polygons that are too small into their neighbours, so that no holes are left.

The smallest go first, each into the neighbour it shares the longest border with; what has grown enough on the way stays.
To do many at a time, each round moves all specks that have no smaller neighbour: none of these touch each other.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.tracing.connected_components import Integers, unite_pairs

Floats = NDArray[np.float64]
Borders = tuple[Integers, Integers, Floats]
"""Pairs of polygons (by position) that share a border, and its length in CRS units; each pair in both orders."""


def absorb_specks(
    geometries: NDArray[np.object_], classes: Integers, areas: Floats, min_area: float
) -> tuple[NDArray[np.object_], Integers]:
    """The coverage without polygons smaller than ``min_area``; and, for each polygon left, the one it descends from.

    ``areas`` and ``min_area`` are in one unit, whichever. Polygons of one class that come to share a border become one.
    Specks without neighbours are left out.
    """
    shared = borders(geometries)
    owner = absorbed(shared, areas, min_area)
    owner = _joined(shared, owner, classes)
    totals = np.bincount(owner, weights=areas, minlength=len(owner))
    left = np.flatnonzero((owner == np.arange(len(owner))) & (totals >= min_area))
    return _dissolved(geometries, owner, left), left


def borders(geometries: NDArray[np.object_]) -> Borders:
    """Which polygons of a coverage share borders of which length: segments that occur twice, found by hashing."""
    ends, owner = _segments(geometries)
    swap = (ends[:, 0] > ends[:, 2]) | ((ends[:, 0] == ends[:, 2]) & (ends[:, 1] > ends[:, 3]))
    ends[swap] = ends[swap][:, [2, 3, 0, 1]]
    bits = (ends + 0.0).view(np.uint64)  # + 0.0: there is but one zero
    key = np.zeros(len(bits), np.uint64)
    for column in bits.T:
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    order = np.argsort(key, kind="stable")
    twice = (ends[order[1:]] == ends[order[:-1]]).all(axis=1)
    one, other = order[1:][twice], order[:-1][twice]
    length = np.hypot(ends[one, 2] - ends[one, 0], ends[one, 3] - ends[one, 1])
    one, other = owner[one], owner[other]
    return _summed(np.concatenate([one, other]), np.concatenate([other, one]), np.concatenate([length, length]))


def absorbed(shared: Borders, areas: Floats, min_area: float) -> Integers:
    """For each polygon the one it becomes part of, itself if it stays; see the module for the rule."""
    areas, owner = areas.copy(), np.arange(len(areas))
    first, second, length = shared
    while True:
        open_ = np.minimum(areas[first], areas[second]) < min_area
        first, second, length = _summed(first[open_], second[open_], length[open_])
        smaller = (areas[second] < areas[first]) | ((areas[second] == areas[first]) & (second < first))
        waits = np.zeros(len(areas), np.bool_)
        waits[first[smaller]] = True
        moves = np.flatnonzero((areas[first] < min_area) & ~waits[first])
        if not len(moves):
            return owner
        moves = moves[np.lexsort((second[moves], -areas[second[moves]], -length[moves], first[moves]))]
        moves = moves[np.diff(first[moves], prepend=-1) > 0]  # the longest border of each
        target = np.arange(len(areas))
        target[first[moves]] = second[moves]
        np.add.at(areas, second[moves], areas[first[moves]])
        owner, first, second = target[owner], target[first], target[second]


def _segments(geometries: NDArray[np.object_]) -> tuple[Floats, Integers]:
    """All segments of all rings (segment, 4: x, y, x, y), and the position of the polygon each belongs to."""
    parts, part_owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    inner = np.flatnonzero(np.diff(point_ring) == 0)
    return np.concatenate([points[inner], points[inner + 1]], axis=1), part_owner[ring_part[point_ring[inner]]]


def _summed(first: Integers, second: Integers, length: Floats) -> Borders:
    """Borders with the lengths of equal pairs added up, and without those of a polygon with itself."""
    apart = first != second
    first, second, length = first[apart], second[apart], length[apart]
    order = np.lexsort((second, first))
    first, second, length = first[order], second[order], length[order]
    starts = np.flatnonzero((np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0))
    return first[starts], second[starts], np.add.reduceat(length, starts) if len(starts) else length


def _joined(shared: Borders, owner: Integers, classes: Integers) -> Integers:
    """Owners, where owners of one class that share a border have become one."""
    first, second = owner[shared[0]], owner[shared[1]]
    alike = classes[first] == classes[second]
    roots = unite_pairs(np.arange(len(owner)), first[alike], second[alike])
    return roots[owner]


def _dissolved(geometries: NDArray[np.object_], owner: Integers, left: Integers) -> NDArray[np.object_]:
    """The geometry of each owner in ``left``: its own, or the union of all it holds."""
    order = np.argsort(owner, kind="stable")
    starts, stops = np.searchsorted(owner[order], left, "left"), np.searchsorted(owner[order], left, "right")
    result = geometries[left]
    for k in np.flatnonzero(stops - starts > 1):
        result[k] = shapely.coverage_union_all(geometries[order[starts[k] : stops[k]]])
    return result
