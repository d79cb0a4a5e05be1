"""Simplify and smooth the shared borders of traced outlines and polygon layers, without gaps, overlaps or crossings.

Rings are split into *arcs* at *nodes*, where three or four borders meet. The result for an arc depends only on the arc
itself, traversed in a direction determined by its ends, and on the original vertices of the layer. It is therefore the
same for both polygons along the arc, regardless of the order in which polygons are processed and of the batch they are
in. Nodes never move. ``simplify_arcs`` implements the rules for a single arc.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._numba_jit import njit
from geoseg.vector.generalize.simplify_arcs import CURVE_SIDES, BoundaryOptions, simplify_arc, smooth_arc
from geoseg.vector.measure import metric_at_center
from geoseg.vector.polygon_arrays import PolygonArrays
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray
from geoseg.vector.tracing.vertex_spatial_index import VertexIndex


def simplify_outlines(outlines: Outlines, vertices: VertexIndex, options: BoundaryOptions) -> Outlines:
    """Simplify and smooth all outlines in a raster, or some of them.

    Args:
        outlines: Outlines with marked nodes.
        vertices: The vertices of these polygons and of all polygons near them.
        options: Tolerance, smoothing and pixel size in meters.

    Returns:
        The outlines with their new corners; nodes are no longer marked.
    """
    if options.is_identity or not len(outlines):
        return outlines
    points = outlines.corners[:, ::-1].astype(np.float64)
    max_length = int(np.diff(outlines.ring_offsets).max())
    out = np.empty(((CURVE_SIDES + 1 if options.smooth else 1) * len(points) + 2, 2))
    offsets = np.zeros_like(outlines.ring_offsets)
    options = options._replace(tolerance=float(options.tolerance))  # numba would recompile for an int
    nodes, rings = outlines.is_node, outlines.ring_offsets
    _simplify_rings(points, nodes, rings, *vertices, options, max_length, out, offsets)
    corners = np.ascontiguousarray(out[: offsets[-1], ::-1])
    return replace(outlines, corners=corners, is_node=np.zeros(len(corners), np.bool_), ring_offsets=offsets)


@njit
def _simplify_rings(
    points: FloatArray,
    is_node: NDArray[np.bool_],
    rings: IntArray,
    starts: IntArray,
    xs: NDArray[Any],
    ys: NDArray[Any],
    options: BoundaryOptions,
    max_length: int,
    out: FloatArray,
    offsets: IntArray,
) -> None:
    """Fill ``out`` (point, 2) and ``offsets`` (ring + 1)."""
    arc, kept = np.empty((2 * max_length + 1, 2)), np.empty(max_length + 2, np.int64)
    before, after = np.empty(max_length + 1, np.int64), np.empty(max_length + 1, np.int64)
    filled = 0
    for ring in range(len(rings) - 1):
        first, size = rings[ring], rings[ring + 1] - rings[ring] - 1
        begin = 0
        while begin < size and not is_node[first + begin]:
            begin += 1
        is_loop = begin == size
        if is_loop:
            begin = _find_uppermost(points, first, size)
        at, ring_start = 0, filled
        while at < size:
            count = 1
            while at + count < size and not is_node[first + (begin + at + count) % size]:
                count += 1
            for k in range(count + 1):
                source = first + (begin + at + k) % size
                arc[k, 0], arc[k, 1] = points[source, 0], points[source, 1]
            is_reversed = _is_reversed(arc, count)
            if is_reversed:
                _reverse(arc, count + 1)
            if is_loop:  # repeat the loop so that its end point has a successor
                arc[count + 1 : 2 * count + 1] = arc[1 : count + 1]
            kept_count = simplify_arc(arc, count + 1, starts, xs, ys, options, before, after, kept)
            stop = smooth_arc(arc, kept, kept_count, starts, xs, ys, options.smooth, is_loop, out, filled)
            if is_reversed:
                _reverse(out[filled:stop], stop - filled)
            filled = stop - 1  # the next arc begins with the node at which this one ends
            at += count
        out[filled, 0], out[filled, 1] = out[ring_start, 0], out[ring_start, 1]
        filled += 1
        offsets[ring + 1] = filled


@njit
def _find_uppermost(points: FloatArray, first: int, size: int) -> int:
    """Find the point with the smallest y, then x: the same start for both polygons that share a ring without nodes."""
    begin = 0
    for k in range(1, size):
        x, y = points[first + k, 0], points[first + k, 1]
        if y < points[first + begin, 1] or (y == points[first + begin, 1] and x < points[first + begin, 0]):
            begin = k
    return begin


@njit
def _is_reversed(arc: FloatArray, last: int) -> bool:
    """Return whether an arc (points 0 to ``last``) begins at the end with the larger y, or larger x if y is equal."""
    ax, ay, bx, by = arc[0, 0], arc[0, 1], arc[last, 0], arc[last, 1]
    if ax == bx and ay == by:  # a closed arc: compare the neighbors of the point where it is closed
        ax, ay, bx, by = arc[1, 0], arc[1, 1], arc[last - 1, 0], arc[last - 1, 1]
    return bool(ay > by or (ay == by and ax > bx))


@njit
def _reverse(points: FloatArray, count: int) -> None:
    for k in range(count // 2):
        for axis in range(2):
            points[k, axis], points[count - 1 - k, axis] = points[count - 1 - k, axis], points[k, axis]


def simplify_coverage(
    geometries: NDArray[np.object_], crs: CRS, *, tolerance_m: float = 0.0, smooth: bool = False
) -> NDArray[np.object_]:
    """Simplify and smooth the polygons of a layer.

    Nodes and vertices at the corners of the layer's bounds do not move, and no polygon disappears. If the polygons on
    the two sides of a border have different vertices there (so they are not a valid coverage), the border is treated as
    two borders, which may move apart by up to the tolerance.

    Args:
        geometries: Polygons and MultiPolygons, a coverage.
        crs: CRS of the polygons.
        tolerance_m: Maximum distance in meters that borders may move; with 0, no vertices are removed.
        smooth: True to round corners.
    """
    if not len(geometries) or not (tolerance_m > 0 or smooth):
        return geometries
    polygons = PolygonArrays.from_geometries(shapely.remove_repeated_points(geometries))
    unit, lowest = _choose_rows(polygons.points)
    points = polygons.points / unit
    points[:, 1] -= lowest
    left, bottom, right, top = (float(side) for side in shapely.total_bounds(geometries))
    e, _, g, _ = metric_at_center(crs, (left, bottom, right, top))
    options = BoundaryOptions(tolerance_m, smooth, x_scale=float(e**0.5 * unit), y_scale=float(g**0.5 * unit))
    simplified = simplify_outlines(_to_outlines(points, polygons), VertexIndex.from_points(points), options)
    moved = simplified.corners[:, ::-1].astype(np.float64)
    moved[:, 1] += lowest
    return replace(polygons, points=moved * unit, ring_offsets=simplified.ring_offsets).to_geometries()


def _choose_rows(points: FloatArray) -> tuple[float, int]:
    """Choose the row height of a vertex index so that each row contains few points; also return the lowest row.

    The height is a power of two, so coordinates that were divided by it and shifted by whole rows can be restored
    exactly.
    """
    low, high = points[:, 1].min(), points[:, 1].max()
    unit = 2.0 ** np.ceil(np.log2(max(high - low, 1e-12) / max(np.sqrt(len(points)), 1)))
    return unit, int(np.floor(low / unit))


def _to_outlines(points: FloatArray, polygons: PolygonArrays) -> Outlines:
    none = np.zeros(len(polygons), np.int64)
    return Outlines(
        corners=np.ascontiguousarray(points[:, ::-1]),
        is_node=_find_nodes(points, polygons),
        ring_offsets=polygons.ring_offsets,
        part_offsets=polygons.part_offsets,
        polygon_offsets=polygons.polygon_offsets,
        values=none,
        pixel_counts=none,
        ids=none,
        mean_weights=none.astype(np.float64),
    )


def _find_nodes(points: FloatArray, polygons: PolygonArrays) -> NDArray[np.bool_]:
    """Mark the points at which the number of distinct sides is not two, and the corners of the layer's bounds."""
    _, name = np.unique(points, axis=0, return_inverse=True)
    is_side = np.ones(len(points), np.bool_)
    is_side[polygons.ring_offsets[1:] - 1] = False  # the last point of a ring repeats its first one
    sides = np.flatnonzero(is_side)
    ends = np.sort(np.stack([name[sides], name[sides + 1]], axis=1), axis=1)
    degree = np.bincount(np.unique(ends, axis=0).ravel(), minlength=len(points))
    is_corner = ((points == points.min(axis=0)) | (points == points.max(axis=0))).all(axis=1)
    is_node: NDArray[np.bool_] = (degree[name] != 2) | is_corner
    return is_node
