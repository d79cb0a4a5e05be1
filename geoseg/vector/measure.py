"""Areas and lengths on the ground of polygons in any CRS, fast enough for millions of them.

Geodesic areas (GeographicLib, through pyproj) cost tens of microseconds a polygon. We lay a net over the layer instead,
ask PROJ once at its knots how far a step along x and along y goes on the ellipsoid (the metric tensor E, F, G of
Gauss), and interpolate in between. A polygon over which that hardly changes is flat: its planar area and the lengths of
its sides are multiplied. The others are integrated side by side.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from geoseg._numba import compiled
from geoseg.grid.grid import WGS84_ECCENTRICITY_SQUARED, WGS84_SEMI_MAJOR_M, Bounds
from geoseg.vector.geometry_arrays import Shapes
from geoseg.vector.tracing.connected_components import Integers

Floats = NDArray[np.float64]

KNOTS, MANY_KNOTS = 33, 193
"""Knots of the net along each axis, and those of a net over more than some 500 km. Across the whole globe in degrees,
areas are then right within 4e-5."""

FLAT = 1e-4
"""Relative change of scale over a polygon's box below which the polygon is flat."""


@dataclass(frozen=True)
class Ground:
    """What coordinates within a box mean on the ground."""

    net: Floats
    """(row, col, 4): at each knot, from the box's lower left, square metres per square unit along x (E), along both (F)
    and along y (G), and square metres that a square unit covers."""
    frame: Floats
    """(4,): x and y of the lower left knot, and from one knot to the next in x and in y, in CRS units."""

    @classmethod
    def under(cls, crs: CRS | None, bounds: Bounds) -> Self:
        """The ground under a box (left, bottom, right, top) of a CRS; NaN everywhere without CRS.

        Where the CRS does not reach, its unit counts as it does at its origin.
        """
        left, bottom, right, top = bounds
        span = max(right - left, top - bottom, 1e-9)
        wide = crs is not None and span > (5 if crs.is_geographic else 500_000)
        knots = np.arange(MANY_KNOTS if wide else KNOTS)
        steps = max((right - left) / knots[-1], span * 1e-6), max((top - bottom) / knots[-1], span * 1e-6)
        frame = np.array([left, bottom, *steps])
        if crs is None:
            return cls(np.full((KNOTS, KNOTS, 4), math.nan), frame)
        x, y = np.meshgrid(left + knots * steps[0], bottom + knots * steps[1])
        return cls(metric(crs, x, y, span), frame)

    def measure(self, points: Floats, rings: Integers, polygons: Integers) -> tuple[Floats, Floats, Floats]:
        """Square metres and metres of border of polygons, and their boxes (polygon, 4: left, bottom, right, top).

        ``points`` (point, 2) are x and y, ``rings`` says where rings begin and end in them, ``polygons`` likewise in the
        rings; holes run against their shells.
        """
        count = len(polygons) - 1
        areas, lengths, boxes = np.empty(count), np.empty(count), np.empty((count, 4))
        _measure(points, rings, polygons, self.net, self.frame, areas, lengths, boxes)
        return areas, lengths, boxes

    def at(self, points: Floats) -> Floats:
        """(point, 4): E, F, G and square metres per square unit at (point, 2: x, y)."""
        return np.array([_at(self.net, self.frame, x, y) for x, y in points])


def metric(crs: CRS, x: Any, y: Any, span: float) -> Floats:
    """E, F, G and square metres per square unit of a CRS at ``x`` and ``y``, along a last axis; see Ground.

    By central differences over a thousandth of ``span`` (CRS units), of points in space: right at the poles and on the
    date line too. Not over less than some ten metres, in which points are hardly known well enough.
    """
    step = max(span / 1000, 1e-4 if crs.is_geographic else 10)
    half = step / 2
    along_x = (_in_space(crs, x + half, y) - _in_space(crs, x - half, y)) / step
    along_y = (_in_space(crs, x, y + half) - _in_space(crs, x, y - half)) / step
    e, f, g = (along_x**2).sum(axis=-1), (along_x * along_y).sum(axis=-1), (along_y**2).sum(axis=-1)
    found = np.stack([e, f, g, np.sqrt(np.maximum(e * g - f * f, 0))], axis=-1)
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    return np.where(np.isfinite(found), found, np.array([unit**2, 0, unit**2, unit**2]))


def metres_per_unit(crs: CRS, bounds: Bounds) -> float:
    """How many metres on the ground a unit of the CRS makes, at the middle of a box."""
    left, bottom, right, top = bounds
    middle = np.array((left + right) / 2), np.array((bottom + top) / 2)
    return float(metric(crs, *middle, max(right - left, top - bottom))[3] ** 0.5)


def _in_space(crs: CRS, x: Floats, y: Floats) -> Floats:
    """(x, y, z) on the ellipsoid along a last axis, metres from its centre; NaN where the CRS does not reach."""
    try:
        lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    except ProjError:  # a CRS without a way to the globe (an engineering CRS, say)
        return np.full((*x.shape, 3), np.nan)
    lon, lat = (np.radians(np.where(np.isfinite(d), d, np.nan)) for d in (lon, lat))
    prime_vertical = WGS84_SEMI_MAJOR_M / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
    from_axis = prime_vertical * np.cos(lat)
    height = prime_vertical * (1 - WGS84_ECCENTRICITY_SQUARED) * np.sin(lat)
    return np.stack([from_axis * np.cos(lon), from_axis * np.sin(lon), height], axis=-1)


@compiled
def _at(net: Floats, frame: Floats, x: float, y: float) -> tuple[float, float, float, float]:
    """The net between its knots, linearly along each axis; beyond its edge, what the edge has."""
    u = min(max((x - frame[0]) / frame[2], 0.0), net.shape[1] - 1.000001)
    v = min(max((y - frame[1]) / frame[3], 0.0), net.shape[0] - 1.000001)
    col, row = int(u), int(v)
    u, v = u - col, v - row
    w00, w01, w10, w11 = (1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v
    a, b, c, d = net[row, col], net[row, col + 1], net[row + 1, col], net[row + 1, col + 1]
    return (
        w00 * a[0] + w01 * b[0] + w10 * c[0] + w11 * d[0],
        w00 * a[1] + w01 * b[1] + w10 * c[1] + w11 * d[1],
        w00 * a[2] + w01 * b[2] + w10 * c[2] + w11 * d[2],
        w00 * a[3] + w01 * b[3] + w10 * c[3] + w11 * d[3],
    )


@compiled
def _measure(
    points: Floats,
    rings: Integers,
    polygons: Integers,
    net: Floats,
    frame: Floats,
    areas: Floats,
    lengths: Floats,
    boxes: Floats,
) -> None:
    """Fills areas, lengths and boxes; see Ground.measure."""
    for k in range(len(polygons) - 1):
        first, stop = rings[polygons[k]], rings[polygons[k + 1]]
        left, bottom, right, top = math.inf, math.inf, -math.inf, -math.inf
        for i in range(first, stop):
            left, right = min(left, points[i, 0]), max(right, points[i, 0])
            bottom, top = min(bottom, points[i, 1]), max(top, points[i, 1])
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = left, bottom, right, top
        e, f, g, scale = _at(net, frame, (left + right) / 2, (bottom + top) / 2)
        change = 0.0
        for x, y in ((left, bottom), (left, top), (right, bottom), (right, top)):
            ce, _, cg, cs = _at(net, frame, x, y)
            change = max(change, abs(cs - scale) / scale, abs(ce - e) / e, abs(cg - g) / g)
        area, length = 0.0, 0.0
        for ring in range(polygons[k], polygons[k + 1]):
            for i in range(rings[ring], rings[ring + 1] - 1):
                dx, dy = points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1]
                if change > FLAT:
                    side, strip = _along(net, frame, left, points[i, 0], points[i, 1], dx, dy)
                    area, length = area + strip, length + side
                else:
                    area += (points[i, 0] - left + dx / 2) * dy * scale
                    length += math.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy)
        areas[k], lengths[k] = abs(area), length


@compiled
def _along(net: Floats, frame: Floats, left: float, x: float, y: float, dx: float, dy: float) -> tuple[float, float]:
    """Metres of the side from (x, y) to (x + dx, y + dy), and square metres between it and the line x = left.

    By Simpson's rule along the side, and across; square metres are negative if y falls.
    """
    length, area = 0.0, 0.0
    for part, weight in ((0.0, 1 / 6), (0.5, 2 / 3), (1.0, 1 / 6)):
        width = x + part * dx - left
        e, f, g, near = _at(net, frame, left + width, y + part * dy)
        middle, far = _at(net, frame, left + width / 2, y + part * dy)[3], _at(net, frame, left, y + part * dy)[3]
        area += weight * width * (near + 4 * middle + far) / 6
        length += weight * math.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy)
    return length, area * dy


@compiled
def boxes_of(points: Floats, polygons: Integers) -> Floats:
    """(polygon, 4): left, bottom, right and top of runs of points (point, 2)."""
    boxes = np.empty((len(polygons) - 1, 4))
    for k in range(len(polygons) - 1):
        left, bottom, right, top = math.inf, math.inf, -math.inf, -math.inf
        for i in range(polygons[k], polygons[k + 1]):
            left, right = min(left, points[i, 0]), max(right, points[i, 0])
            bottom, top = min(bottom, points[i, 1]), max(top, points[i, 1])
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = left, bottom, right, top
    return boxes


def measured(geometries: NDArray[np.object_], crs: CRS | None) -> tuple[Floats, Floats]:
    """Area in square metres and perimeter in metres of each polygon, on the ellipsoid; NaN for all without CRS."""
    if crs is None or not len(geometries):
        return np.full(len(geometries), math.nan), np.full(len(geometries), math.nan)
    shapes = Shapes.of(geometries)
    left, bottom, right, top = (float(side) for side in shapely.total_bounds(geometries))
    ground = Ground.under(crs, (left, bottom, right, top))
    areas, lengths, _ = ground.measure(shapes.points, shapes.rings, shapes.polygon_rings)
    return areas, lengths
