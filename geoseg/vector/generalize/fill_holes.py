"""Fills small holes while a mask is still pixels: what lies in a hole takes the class around it.

The first reading traces the mask and keeps the rings of small holes; the second draws them over the pixels, large ones
last, as these hold the others.
"""

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._numba import compiled
from geoseg.vector.class_raster import ClassRaster, PixelSize
from geoseg.vector.geometry_arrays import regrouped
from geoseg.vector.measure import measured
from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.ragged_arrays import offsets, runs
from geoseg.vector.tracing.trace_raster import Classes, Connectivity, trace_strips

Holes = tuple[NDArray[np.int32], Integers, Integers]
"""Corners (corner, 2) of closed rings, their offsets, and the class around each."""


def without_holes(
    raster: ClassRaster, size: PixelSize, max_area_m2: float, *, connectivity: Connectivity = 4
) -> ClassRaster:
    """The raster with every hole under ``max_area_m2`` square metres filled, whatever is in it."""
    strips = ((strip, None) for strip in raster.strips())
    found = trace_strips(strips, width=raster.width, background=raster.background, connectivity=connectivity)
    holes = [_small_holes(outlines, size, max_area_m2) for outlines in found]
    areas = np.concatenate([area for area, _ in holes])
    corners, rings, values = _in_order([hole for _, hole in holes], np.argsort(areas, kind="stable"))
    tops = np.minimum.reduceat(corners[:, 0], rings[:-1]) if len(values) else values
    bottoms = np.maximum.reduceat(corners[:, 0], rings[:-1]) if len(values) else values

    def filled() -> Iterator[Classes]:
        row = 0
        for before in raster.strips():
            strip = before.copy()
            here = np.flatnonzero((tops < row + len(strip)) & (bottoms > row))
            _fill(strip, row, corners, rings, values, here)
            row += len(strip)
            yield strip

    return ClassRaster(raster.width, raster.background, filled)


def _small_holes(outlines: Outlines, size: PixelSize, max_area_m2: float) -> tuple[NDArray[np.float64], Holes]:
    """Square metres of the small holes, and the holes."""
    rings = np.setdiff1d(np.arange(len(outlines.ring_offsets) - 1), outlines.part_offsets[:-1])
    owners = np.searchsorted(outlines.polygon_rings, rings, "right") - 1
    starts, lengths = outlines.ring_offsets[:-1][rings], np.diff(outlines.ring_offsets)[rings]
    row, col = outlines.corners[runs(starts, lengths)].astype(np.int64).T
    edges = np.append(row[:-1] * col[1:] - row[1:] * col[:-1], 0) if len(row) else row
    bounds = offsets(lengths)
    edges[bounds[1:] - 1] = 0  # from one ring to the next
    pixels = np.abs(np.add.reduceat(edges, bounds[:-1])) // 2 if len(rings) else row
    areas = pixels * size.areas[outlines.corners[starts, 0]]
    small = areas < max_area_m2
    corners = outlines.corners[runs(starts[small], lengths[small])]
    return areas[small], (corners.astype(np.int32), offsets(lengths[small]), outlines.values[owners[small]])


def _in_order(holes: list[Holes], order: Integers) -> Holes:
    """The holes of all parts, in one order."""
    corners, values = np.concatenate([hole[0] for hole in holes]), np.concatenate([hole[2] for hole in holes])
    lengths = np.concatenate([np.diff(hole[1]) for hole in holes])
    source = runs(offsets(lengths)[:-1][order], lengths[order])
    return corners[source], offsets(lengths[order]), values[order]


@compiled
def _fill(
    strip: Classes, row: int, corners: NDArray[np.int32], rings: Integers, values: Integers, chosen: Integers
) -> None:
    """Draws the chosen rings over a strip that begins at ``row``: between every second pair of their vertical sides."""
    crossings = np.empty(strip.shape[1] + 1, np.int64)
    for k in chosen:
        first, last = rings[k], rings[k + 1] - 1
        low, high = corners[first, 0], corners[first, 0]
        for i in range(first, last):
            low, high = min(low, corners[i, 0]), max(high, corners[i, 0])
        for at in range(max(low, row), min(high, row + strip.shape[0])):
            count = 0
            for i in range(first, last):
                above, below = corners[i, 0], corners[i + 1, 0]
                if min(above, below) <= at < max(above, below):
                    crossings[count] = corners[i, 1]
                    count += 1
            crossings[:count].sort()
            for n in range(0, count, 2):
                strip[at - row, crossings[n] : crossings[n + 1]] = values[k]


def without_small_holes(
    geometries: NDArray[np.object_], crs: CRS, max_area_m2: float
) -> tuple[NDArray[np.object_], Integers]:
    """The polygons without holes under ``max_area_m2`` square metres; and, for each polygon left, its position before."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    is_hole = np.diff(ring_part, prepend=-1) == 0
    areas, _ = measured(np.asarray(shapely.polygons(rings)), crs)
    small = is_hole & (areas < max_area_m2)
    if not small.any():
        return geometries, np.arange(len(geometries))
    kept, part_of_kept = rings[~small], ring_part[~small]
    bounds = offsets(np.bincount(part_of_kept, minlength=len(parts)))
    points, point_ring = shapely.get_coordinates(kept, return_index=True)
    filled = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, points, (offsets(np.bincount(point_ring, minlength=len(kept))), bounds)
    )
    inside, _ = _within(geometries, rings[small])
    left = np.setdiff1d(np.arange(len(geometries)), inside)
    stays = np.isin(owner, left)
    return regrouped(filled[stays], np.searchsorted(left, owner[stays])), left


def _within(geometries: NDArray[np.object_], holes: NDArray[np.object_]) -> tuple[Integers, Integers]:
    """Positions of the polygons that lie in holes, and of the holes."""
    points = shapely.STRtree(shapely.point_on_surface(geometries))
    hole, inside = points.query(np.asarray(shapely.polygons(holes)), predicate="contains")
    return inside.astype(np.int64), hole.astype(np.int64)
