"""Drop the vertices of polygons that are above or below a window, without changing the pixels that are burned.

GDAL compares every edge of a polygon with every row of pixels. A row of pixels depends only on the edges that cross it, so
consecutive vertices on the same side of the window can be replaced by the first and the last of them. All other edges remain
exactly as they are; clipping would change their ends, and with them pixels whose centers are on an edge.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.vector.polygon_arrays import group_parts
from geoseg.vector.tracing.ragged_arrays import to_offsets

MIN_VERTICES = 1000
"""Smallest number of vertices of a polygon for which dropping some saves time."""

ROW_MARGIN = 1.0
"""Distance in rows from the window up to which vertices remain."""


def drop_distant_vertices(geometries: NDArray[np.object_], grid: Grid) -> NDArray[np.object_]:
    """Drop the vertices above and below a grid from polygons with many vertices.

    Args:
        geometries: Polygons and MultiPolygons in the CRS of the grid.
        grid: The grid on which the polygons will be burned.

    Returns:
        Polygons with the same pixels on the grid, which may cross themselves beside it; None for polygons without vertices
        that matter.
    """
    is_large = shapely.get_num_coordinates(geometries) >= MIN_VERTICES
    if not is_large.any():
        return geometries
    reduced = geometries.copy()
    for k in np.flatnonzero(is_large):
        reduced[k] = _reduce(geometries[k], grid)
    return reduced


def _reduce(geometry: shapely.Geometry, grid: Grid) -> shapely.Geometry | None:
    _, points, offsets = shapely.to_ragged_array(shapely.get_parts(np.array([geometry], dtype=object)))
    ring_offsets, part_offsets = (each.astype(np.int64) for each in offsets)
    is_kept = _find_kept(_find_sides(points, grid), ring_offsets)
    sizes = np.add.reduceat(is_kept, ring_offsets[:-1])
    keeps_ring = sizes > 0
    rings_per_part = np.add.reduceat(keeps_ring, part_offsets[:-1])
    if not rings_per_part.any():
        return None
    rings = to_offsets(sizes[keeps_ring]), to_offsets(rings_per_part[rings_per_part > 0])
    parts = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points[is_kept], rings)
    reduced: shapely.Geometry = group_parts(parts, np.zeros(len(parts), np.int64))[0]
    return reduced


def _find_sides(points: NDArray[np.float64], grid: Grid) -> NDArray[np.int8]:
    """Return -1 for points above the grid, 1 for points below it, and 0 for points beside its rows."""
    t = ~grid.transform
    rows = t.d * points[:, 0] + t.e * points[:, 1] + t.f
    sides: NDArray[np.int8] = (rows > grid.height + ROW_MARGIN).astype(np.int8) - (rows < -ROW_MARGIN).astype(np.int8)
    return sides


def _find_kept(sides: NDArray[np.int8], ring_offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which points remain: none of a ring on one side, and otherwise the ends of rings and of runs on one side."""
    starts, stops = ring_offsets[:-1], ring_offsets[1:]
    is_inner = (sides != 0) & (np.roll(sides, 1) == sides) & (np.roll(sides, -1) == sides)
    is_kept: NDArray[np.bool_] = ~is_inner
    is_kept[starts] = is_kept[stops - 1] = True
    lowest, highest = np.minimum.reduceat(sides, starts), np.maximum.reduceat(sides, starts)
    is_away = (lowest == highest) & (lowest != 0)
    is_kept &= ~np.repeat(is_away, stops - starts)
    return is_kept
