"""Make the corners of buildings right-angled, and adapt their neighbors.

The main direction of a building is the mean direction of its sides modulo 90 degrees, weighted by the squared side
lengths. Each side is classified as parallel or perpendicular to the main direction, whichever is closer. Consecutive
sides of the same kind are replaced with one line at their mean position, and lines meet at right angles. Lines shorter
than the tolerance are removed, shortest first: the lines before and after such a line are of the same kind, so they are
merged. Outlines that would change too much are only simplified.

The new outlines replace the old ones in such a way that the result is still a coverage. All nearby borders are split
where they cross, and the faces between them are assigned to polygons. A face inside a new shape is assigned to that
shape. A face inside any other polygon remains part of that polygon. A face that was covered only by an old shape is
assigned to the neighbor with the longest shared border.
"""

import math
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.vector.generalize.adjacency import find_shared_borders, list_segments
from geoseg.vector.generalize.simplify import simplify_coverage
from geoseg.vector.measure import meters_per_unit
from geoseg.vector.polygon_arrays import restore_points
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray

COLLINEAR_TOLERANCE = 0.01
"""Largest distance from a line at which three points are treated as collinear, as a fraction of the tolerance."""

GRID_TOLERANCE = 2e-6
"""Spacing of the grid on which new and old borders may cross, as a fraction of the tolerance."""

MIN_IOU = 0.8
"""Minimum intersection over union of the old and the new outline; below it, the outline is only simplified."""

MIN_SIDE = 1e-8
"""Length, in CRS units, of the longest side whose ends QGIS treats as a repeated point."""

UNASSIGNED = -1
"""Owner of faces that were covered only by an old shape."""

OUTSIDE = -2
"""Owner of faces outside all polygons."""


class Orthogonalized(NamedTuple):
    """Polygons after the corners of some of them were made right-angled."""

    geometries: NDArray[np.object_]
    """The remaining polygons; polygons that are entirely covered by their neighbors are removed."""
    source: IntArray
    """(polygon,): original position of each polygon."""
    unchanged: int
    """Number of outlines that were left unchanged because right angles would have broken the coverage."""


def orthogonalize_coverage(
    geometries: NDArray[np.object_],
    positions: IntArray,
    crs: CRS,
    tolerance_m: float,
    *,
    within: shapely.Polygon | None = None,
) -> Orthogonalized:
    """Make the corners of some polygons in a coverage right-angled.

    Args:
        geometries: Polygons and MultiPolygons, a coverage.
        positions: Positions of the polygons whose corners are made right-angled.
        crs: CRS of the polygons.
        tolerance_m: Sides shorter than this length, in meters, are removed.
        within: Polygon to which the new outlines are clipped.

    Returns:
        The remaining polygons. If the input is a coverage, so is the result: outlines that would break it are left
        unchanged.
    """
    left, bottom, right, top = (float(side) for side in shapely.total_bounds(geometries))
    tolerance = tolerance_m / meters_per_unit(crs, (left, bottom, right, top))
    shapes = np.array([orthogonalize_polygon(geometries[k], tolerance) for k in positions], dtype=object)
    if within is not None:
        shapes = np.array([_keep_polygons(shapely.intersection(shape, within)) for shape in shapes], dtype=object)
    grid_size = 2.0 ** np.floor(np.log2(tolerance * GRID_TOLERANCE))
    had_faults, count = find_faults(geometries), len(positions)
    while True:
        replaced, source = replace_in_coverage(geometries, positions, shapes, grid_size)
        # Old borders that crossed new sides leave vertices in the middle of these sides.
        replaced = simplify_coverage(replaced, crs, tolerance_m=tolerance_m * COLLINEAR_TOLERANCE)
        faulty = replaced[find_faults(replaced) & ~had_faults[source]]
        if not len(faulty) or not len(positions):
            return Orthogonalized(replaced, source, count - len(positions))
        is_near = np.zeros(len(positions), np.bool_)
        for outlines in (shapes, geometries[positions]):
            is_near[shapely.STRtree(outlines).query(faulty, predicate="dwithin", distance=tolerance)[1]] = True
        stays = ~is_near if is_near.any() else np.zeros(len(positions), np.bool_)
        positions, shapes = positions[stays], shapes[stays]


def find_faults(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Find polygons that are invalid, overlap others, lack a vertex of a neighbor, or contain repeated points."""
    ends, owner = list_segments(geometries)
    is_short = np.abs(ends[:, :2] - ends[:, 2:]).max(axis=1, initial=0) <= MIN_SIDE
    faults: NDArray[np.bool_] = ~shapely.is_valid(geometries)
    faults |= ~shapely.is_empty(shapely.coverage_invalid_edges(geometries))
    faults[owner[is_short]] = True
    return faults


def _keep_polygons(geometry: shapely.Geometry) -> shapely.Geometry:
    """Drop the points and lines from an intersection."""
    parts = [part for part in shapely.get_parts(geometry) if shapely.get_dimensions(part) == 2]
    polygons: shapely.Geometry = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return polygons


def orthogonalize_polygon(geometry: shapely.Geometry, tolerance: float) -> shapely.Geometry:
    """Make the corners of a Polygon or MultiPolygon right-angled, or only simplify it if that would change it too much.

    Args:
        geometry: The polygon.
        tolerance: Sides shorter than this length, in the units of the polygon, are removed.
    """
    parts = [_orthogonalize_part(part, tolerance) for part in shapely.get_parts(geometry)]
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)  # the new parts may overlap


def _orthogonalize_part(polygon: shapely.Polygon, tolerance: float) -> shapely.Polygon:
    simplified = shapely.simplify(polygon, tolerance)  # Douglas-Peucker turns staircases of pixels into sides
    angle = find_main_direction(simplified)
    rings = [
        _orthogonalize_ring(shapely.get_coordinates(ring), angle, tolerance) for ring in shapely.get_rings(simplified)
    ]
    if rings[0] is None:
        return simplified
    shape = shapely.Polygon(rings[0], [ring for ring in rings[1:] if ring is not None])
    if not shape.is_valid or shape.is_empty:
        return simplified
    iou = shape.intersection(polygon).area / shape.union(polygon).area
    return shape if iou >= MIN_IOU else simplified


def find_main_direction(polygon: shapely.Polygon) -> float:
    """Return the angle of the main direction of a polygon's sides in radians, from 0 to pi / 2."""
    dx, dy = np.diff(shapely.get_coordinates(polygon.exterior), axis=0).T
    weights, angles = dx * dx + dy * dy, 4 * np.arctan2(dy, dx)
    return math.atan2((weights * np.sin(angles)).sum(), (weights * np.cos(angles)).sum()) / 4 % (math.pi / 2)


def _orthogonalize_ring(points: FloatArray, angle: float, tolerance: float) -> FloatArray | None:
    """Make the sides of a ring (point, 2) parallel or perpendicular to ``angle``; None if fewer than four remain."""
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    center = points[:-1].mean(axis=0)
    lines = _list_lines((points - center) @ rotation)
    while len(lines) > 4 and (shortest := _find_shortest(lines))[0] < tolerance:
        lines = _remove(lines, shortest[1])
    if len(lines) < 4:
        return None
    corners = []
    for line, following in zip(lines, lines[1:] + lines[:1], strict=True):
        corners.append((following.at, line.at) if line.is_along_x else (line.at, following.at))
    ring: FloatArray = np.array([*corners, corners[0]]) @ rotation.T + center
    return ring


class _Line(NamedTuple):
    """A line parallel to an axis."""

    is_along_x: bool
    """True if the line is parallel to the x axis, False if it is parallel to the y axis."""
    at: float
    """The y coordinate of a line parallel to the x axis, or the x coordinate of a line parallel to the y axis."""
    length: float
    """Total length of the sides that the line replaces."""


def _list_lines(points: FloatArray) -> list[_Line]:
    """List the sides of a closed ring as lines."""
    step, middle = np.diff(points, axis=0), (points[:-1] + points[1:]) / 2
    is_along_x = np.abs(step[:, 0]) >= np.abs(step[:, 1])
    length = np.hypot(*step.T)
    sides = zip(is_along_x, middle, length, strict=True)
    return _merge([_Line(bool(along), float(m[1] if along else m[0]), float(n)) for along, m, n in sides])


def _merge(lines: list[_Line]) -> list[_Line]:
    """Merge consecutive lines of the same kind, including across the end of the ring."""
    merged: list[_Line] = []
    for line in lines:
        is_same = merged and merged[-1].is_along_x == line.is_along_x
        merged.append(_average(merged.pop(), line) if is_same else line)
    while len(merged) > 1 and merged[0].is_along_x == merged[-1].is_along_x:
        merged[0] = _average(merged.pop(), merged[0])
    return merged


def _average(one: _Line, other: _Line) -> _Line:
    length = one.length + other.length
    return _Line(one.is_along_x, (one.at * one.length + other.at * other.length) / length, length)


def _find_shortest(lines: list[_Line]) -> tuple[float, int]:
    """Return the length of the shortest line, which is determined by its neighbors, and its position."""
    count = len(lines)
    return min((abs(lines[(k + 1) % count].at - lines[k - 1].at), k) for k in range(count))


def _remove(lines: list[_Line], position: int) -> list[_Line]:
    """Remove a line, and merge its neighbors."""
    return _merge(lines[position + 1 :] + lines[:position])


def replace_in_coverage(
    geometries: NDArray[np.object_], positions: IntArray, shapes: NDArray[np.object_], grid_size: float
) -> tuple[NDArray[np.object_], IntArray]:
    """Replace polygons, and adapt their neighbors.

    Args:
        geometries: Polygons and MultiPolygons, a coverage.
        positions: Positions of the polygons to replace.
        shapes: New shape of each of these polygons.
        grid_size: Spacing of the grid to which new vertices are snapped, in CRS units; a power of two.

    Returns:
        The remaining polygons, and the original position of each.
    """
    is_changed = ~shapely.equals(geometries[positions], shapes)
    positions, shapes = positions[is_changed], shapes[is_changed]
    if not len(positions):
        return geometries, np.arange(len(geometries))
    old = geometries[positions]
    changed = np.concatenate([shapes, old])
    around = shapely.STRtree(geometries).query(changed, predicate="dwithin", distance=2 * grid_size)[1]
    others = np.setdiff1d(around, positions)
    borders = np.concatenate([geometries[others], old, shapes])
    faces = _find_faces(borders, grid_size)
    owner = np.full(len(faces), OUTSIDE)
    points = shapely.point_on_surface(faces)
    for areas, names in (
        (old, np.full(len(positions), UNASSIGNED)), (geometries[others], others), (shapes, positions),
    ):  # fmt: skip
        face, area = shapely.STRtree(areas).query(points, predicate="within")
        owner[face] = names[area]
    owner = _assign_rest(faces, owner)
    faces, owner = faces[owner >= 0], owner[owner >= 0]
    order = np.argsort(owner, kind="stable")
    rebuilt, starts = np.unique(owner[order], return_index=True)
    result = geometries.copy()
    united = np.array([shapely.coverage_union_all(faces[some]) for some in np.split(order, starts[1:])])
    result[rebuilt] = restore_points(united, shapely.get_coordinates(borders), grid_size)
    removed = np.setdiff1d(np.concatenate([others, positions]), rebuilt)
    remaining = np.setdiff1d(np.arange(len(geometries)), removed)
    return result[remaining], remaining


def _find_faces(geometries: NDArray[np.object_], grid_size: float) -> NDArray[np.object_]:
    """Find the faces between all borders, which are split where they cross, at points on a fine grid.

    On a grid (snap rounding), all crossings are found, even at small angles. With arbitrary points, some crossings
    would be missed.
    """
    lines = shapely.union_all(shapely.boundary(geometries), grid_size=grid_size)
    return shapely.get_parts(shapely.polygonize([lines]))


def _assign_rest(faces: NDArray[np.object_], owner: IntArray) -> IntArray:
    """Assign each unassigned face to the polygon with the longest shared border, starting next to assigned faces."""
    owner = owner.copy()
    first, second, length = find_shared_borders(faces)
    while True:
        is_open = (owner[first] == UNASSIGNED) & (owner[second] >= 0)
        if not is_open.any():
            return owner
        gap, neighbor, side = first[is_open], owner[second[is_open]], length[is_open]
        pairs, position = np.unique(np.stack([gap, neighbor], axis=1), axis=0, return_inverse=True)
        sums = np.bincount(position, side)
        best = np.lexsort((-sums, pairs[:, 0]))
        best = best[np.diff(pairs[best, 0], prepend=-1) > 0]
        owner[pairs[best, 0]] = pairs[best, 1]
