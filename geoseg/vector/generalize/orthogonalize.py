"""Right angles for buildings: outlines are turned into ones with sides along two directions, and neighbours follow.

A building's direction is that of its sides, each weighted by the square of its length, angles counted modulo 90 degrees.
Turned that way, every side runs more across or more along; sides of one kind that follow each other become one line,
at their mean position, and lines meet at right angles. Sides shorter than the tolerance go first: the lines before and
behind are then of one kind, and become one. Where right angles would change too much, outlines are only simplified.
"""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.vector.generalize.replace_in_coverage import replaced
from geoseg.vector.generalize.simplify_coverage import reshaped_coverage
from geoseg.vector.measure import metres_per_unit
from geoseg.vector.tracing.connected_components import Integers

Floats = NDArray[np.float64]

STRAIGHT = 0.01
"""Part of the tolerance within which three points lie on one line."""

LEAST_OVERLAP = 0.8
"""Intersection over union of an outline before and after, below which it is only simplified."""


def orthogonal_coverage(
    geometries: NDArray[np.object_],
    chosen: Integers,
    crs: CRS,
    tolerance_m: float,
    *,
    within: shapely.Polygon | None = None,
) -> tuple[NDArray[np.object_], Integers]:
    """The coverage with right angles in the polygons at the ``chosen`` positions; and the position each came from.

    What would reach beyond ``within`` is cut off.
    """
    left, bottom, right, top = (float(side) for side in shapely.total_bounds(geometries))
    tolerance = tolerance_m / metres_per_unit(crs, (left, bottom, right, top))
    squared = np.array([orthogonal(geometries[k], tolerance) for k in chosen], dtype=object)
    if within is not None:
        squared = np.array([_only_polygons(shapely.intersection(each, within)) for each in squared], dtype=object)
    replacing, source = replaced(geometries, chosen, squared)
    # Where old borders crossed new sides there are vertices in the middle of these: away with them.
    return reshaped_coverage(replacing, crs, tolerance_m=tolerance_m * STRAIGHT), source


def _only_polygons(geometry: shapely.Geometry) -> shapely.Geometry:
    """Without the points and lines in which shapes touch an edge."""
    parts = [part for part in shapely.get_parts(geometry) if shapely.get_dimensions(part) == 2]
    whole: shapely.Geometry = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return whole


def orthogonal(geometry: shapely.Geometry, tolerance: float) -> shapely.Geometry:
    """A polygon (or several) with right angles, or only simplified if it has no use for them; ``tolerance`` in its units."""
    parts = [_orthogonal_part(part, tolerance) for part in shapely.get_parts(geometry)]
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def _orthogonal_part(polygon: shapely.Polygon, tolerance: float) -> shapely.Polygon:
    plain = shapely.simplify(polygon, tolerance)  # Douglas and Peucker: stairs become sides
    angle = main_direction(plain)
    rings = [_squared(shapely.get_coordinates(ring), angle, tolerance) for ring in shapely.get_rings(plain)]
    if rings[0] is None:
        return plain
    found = shapely.Polygon(rings[0], [ring for ring in rings[1:] if ring is not None])
    if not found.is_valid or found.is_empty:
        return plain
    overlap = found.intersection(polygon).area / found.union(polygon).area
    return found if overlap >= LEAST_OVERLAP else plain


def main_direction(polygon: shapely.Polygon) -> float:
    """The angle in radians, from 0 to a quarter turn, along which or across which a polygon's sides run."""
    dx, dy = np.diff(shapely.get_coordinates(polygon.exterior), axis=0).T
    weights, angles = dx * dx + dy * dy, 4 * np.arctan2(dy, dx)
    return math.atan2((weights * np.sin(angles)).sum(), (weights * np.cos(angles)).sum()) / 4 % (math.pi / 2)


def _squared(points: Floats, angle: float, tolerance: float) -> Floats | None:
    """A closed ring (point, 2) with sides along ``angle`` and across it; None if less than four sides are left."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = points[:-1].mean(axis=0)
    lines = _lines((points - middle) @ turn)
    while len(lines) > 4 and (shortest := _shortest(lines))[0] < tolerance:
        lines = _without(lines, shortest[1])
    if len(lines) < 4:
        return None
    corners = []
    for (across, at, _), (_, other, _) in zip(lines, lines[1:] + lines[:1], strict=True):
        corners.append((other, at) if across else (at, other))
    ring: Floats = np.array([*corners, corners[0]]) @ turn.T + middle
    return ring


Line = tuple[bool, float, float]
"""True if it runs along x, else along y; its y, or x; the length of the sides it stands for."""


def _lines(points: Floats) -> list[Line]:
    """Sides of a closed ring as lines, those of one kind that follow each other as one."""
    step, middle = np.diff(points, axis=0), (points[:-1] + points[1:]) / 2
    along = np.abs(step[:, 0]) >= np.abs(step[:, 1])
    length = np.hypot(*step.T)
    found: list[Line] = [
        (bool(a), float(m[1] if a else m[0]), float(n)) for a, m, n in zip(along, middle, length, strict=True)
    ]
    return _merged(found)


def _merged(lines: list[Line]) -> list[Line]:
    merged: list[Line] = []
    for line in lines:
        alike = merged and merged[-1][0] == line[0]
        merged.append(_mean(merged.pop(), line) if alike else line)
    while len(merged) > 1 and merged[0][0] == merged[-1][0]:
        merged[0] = _mean(merged.pop(), merged[0])
    return merged


def _mean(one: Line, other: Line) -> Line:
    length = one[2] + other[2]
    return one[0], (one[1] * one[2] + other[1] * other[2]) / length, length


def _shortest(lines: list[Line]) -> tuple[float, int]:
    """The length of the shortest side between its neighbours, and its position."""
    count = len(lines)
    return min((abs(lines[(k + 1) % count][1] - lines[k - 1][1]), k) for k in range(count))


def _without(lines: list[Line], position: int) -> list[Line]:
    """The lines without one, its neighbours become one."""
    return _merged(lines[position + 1 :] + lines[:position])
