"""Fill small holes with the surrounding class, either in polygons or in a mask that is read in strips.

The mask is read twice: the first pass traces it and keeps the rings of small holes; the second pass fills these rings
in the raster, the largest last because they may contain smaller ones.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._numba_jit import njit
from geoseg.vector.measure import PixelSize, measure_polygons
from geoseg.vector.polygon_arrays import group_parts
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray, expand_ranges, to_offsets
from geoseg.vector.tracing.raster_strips import ClassArray, ClassRaster
from geoseg.vector.tracing.trace_raster import Connectivity, trace_raster


def fill_coverage_holes(
    geometries: NDArray[np.object_], crs: CRS, max_area_m2: float
) -> tuple[NDArray[np.object_], IntArray]:
    """Fill small holes in polygons, and remove the polygons inside these holes.

    Args:
        geometries: Polygons and MultiPolygons, a coverage.
        crs: CRS of the polygons.
        max_area_m2: Holes smaller than this area, in square meters, are filled.

    Returns:
        The remaining polygons, and the original position of each.
    """
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    is_hole = np.diff(ring_part, prepend=-1) == 0
    areas, _ = measure_polygons(np.asarray(shapely.polygons(rings)), crs)
    is_small = is_hole & (areas < max_area_m2)
    if not is_small.any():
        return geometries, np.arange(len(geometries))
    kept, kept_part = rings[~is_small], ring_part[~is_small]
    part_offsets = to_offsets(np.bincount(kept_part, minlength=len(parts)))
    points, point_ring = shapely.get_coordinates(kept, return_index=True)
    ring_offsets = to_offsets(np.bincount(point_ring, minlength=len(kept)))
    filled = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, (ring_offsets, part_offsets))
    remaining = np.setdiff1d(np.arange(len(geometries)), _find_inside(geometries, rings[is_small]))
    stays = np.isin(owner, remaining)
    return group_parts(filled[stays], np.searchsorted(remaining, owner[stays])), remaining


def _find_inside(geometries: NDArray[np.object_], holes: NDArray[np.object_]) -> IntArray:
    """Find the positions of the polygons that are inside holes."""
    points = shapely.STRtree(shapely.point_on_surface(geometries))
    _, inside = points.query(np.asarray(shapely.polygons(holes)), predicate="contains")
    positions: IntArray = inside.astype(np.int64)
    return positions


def fill_raster_holes(
    raster: ClassRaster, size: PixelSize, max_area_m2: float, *, connectivity: Connectivity = 4
) -> ClassRaster:
    """Fill small holes in regions, including everything inside the holes.

    Args:
        raster: The class raster; it is read immediately, and again each time the result is read.
        size: Size of the raster's pixels.
        max_area_m2: Holes smaller than this area, in square meters, are filled.
        connectivity: Connectivity of the pixels in a region, 4 or 8.
    """
    strips = ((strip, None) for strip in raster.strips())
    portions = trace_raster(strips, width=raster.width, background=raster.background, connectivity=connectivity)
    holes = _sort_holes([_find_small_holes(outlines, size, max_area_m2) for outlines in portions])
    starts = holes.offsets[:-1]
    tops = np.minimum.reduceat(holes.corners[:, 0], starts) if len(starts) else starts
    bottoms = np.maximum.reduceat(holes.corners[:, 0], starts) if len(starts) else starts

    def read() -> Iterator[ClassArray]:
        row = 0
        for original in raster.strips():
            strip = original.copy()
            touching = np.flatnonzero((tops < row + len(strip)) & (bottoms > row))
            _fill(strip, row, holes.corners, holes.offsets, holes.values, touching)
            row += len(strip)
            yield strip

    return ClassRaster(raster.width, raster.background, read)


class _Holes(NamedTuple):
    """Rings of holes."""

    corners: NDArray[np.int32]
    """(corner, 2): row and column of the corners of closed rings."""
    offsets: IntArray
    """Offsets of the rings in ``corners``."""
    values: IntArray
    """(hole,): class that surrounds the hole."""
    areas: FloatArray
    """(hole,): area in square meters."""


def _find_small_holes(outlines: Outlines, size: PixelSize, max_area_m2: float) -> _Holes:
    rings = np.setdiff1d(np.arange(len(outlines.ring_offsets) - 1), outlines.part_offsets[:-1])
    owners = np.searchsorted(outlines.polygon_rings, rings, "right") - 1
    starts, lengths = outlines.ring_offsets[:-1][rings], np.diff(outlines.ring_offsets)[rings]
    row, col = outlines.corners[expand_ranges(starts, lengths)].astype(np.int64).T
    above = np.append(0.0, np.cumsum(size.areas_m2))[
        row
    ]  # area in square meters of the column of pixels above a corner
    products = np.append(col[:-1] * np.diff(above), 0.0) if len(row) else above
    offsets = to_offsets(lengths)
    products[offsets[1:] - 1] = 0  # not a side: connects one ring to the next
    areas = np.abs(np.add.reduceat(products, offsets[:-1])) if len(rings) else above
    is_small = areas < max_area_m2
    corners = outlines.corners[expand_ranges(starts[is_small], lengths[is_small])].astype(np.int32)
    return _Holes(corners, to_offsets(lengths[is_small]), outlines.values[owners[is_small]], areas[is_small])


def _sort_holes(portions: list[_Holes]) -> _Holes:
    """Concatenate holes, smallest first."""
    corners = np.concatenate([holes.corners for holes in portions])
    values = np.concatenate([holes.values for holes in portions])
    areas = np.concatenate([holes.areas for holes in portions])
    lengths = np.concatenate([np.diff(holes.offsets) for holes in portions])
    order = np.argsort(areas, kind="stable")
    source = expand_ranges(to_offsets(lengths)[:-1][order], lengths[order])
    return _Holes(corners[source], to_offsets(lengths[order]), values[order], areas[order])


@njit
def _fill(
    strip: ClassArray,
    row: int,
    corners: NDArray[np.int32],
    offsets: IntArray,
    values: IntArray,
    selected: IntArray,
) -> None:
    """Fill the selected rings in a strip that begins at ``row``, applying the even-odd rule to their vertical sides."""
    crossings = np.empty(strip.shape[1] + 1, np.int64)
    for k in selected:
        first, last = offsets[k], offsets[k + 1] - 1
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
