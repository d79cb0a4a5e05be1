"""Measure areas and lengths on the ellipsoid for polygons in any CRS, fast enough for millions of polygons.

Computing the geodesic area of one polygon (with GeographicLib, through pyproj) takes tens of microseconds. To avoid
this cost, the metric tensor (Gauss's E, F and G, which give the length on the ellipsoid of a step along x and y) is
sampled on a coarse grid over the layer and interpolated. If the scale is nearly constant over a polygon, its planar
area and side lengths are multiplied by the scale; otherwise they are integrated along its sides.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from geoseg._numba_jit import njit
from geoseg.grid.crs import unit_factor
from geoseg.grid.grid import WGS84_ECCENTRICITY_SQUARED, WGS84_SEMI_MAJOR_M, Bounds, Grid
from geoseg.vector.polygon_arrays import PolygonArrays
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray

SAMPLES_PER_AXIS = 33
"""Number of samples of the metric along each axis."""

WIDE_SAMPLES_PER_AXIS = 193
"""Number of samples along each axis for extents above about 500 km. With this number, the relative error of areas is
below 4e-5 for the whole globe in degrees."""

MAX_SCALE_CHANGE = 1e-4
"""Maximum relative change of scale over the bounds of a polygon for the scale to be treated as constant."""


class Measures(NamedTuple):
    """Measurements of polygons, as arrays with one entry per polygon."""

    areas: FloatArray
    """Area on the ellipsoid in square meters."""
    perimeters: FloatArray
    """Perimeter on the ellipsoid in meters, including holes."""
    bounds: FloatArray
    """(polygon, 4): left, bottom, right, top in CRS units."""


@dataclass(frozen=True)
class LocalMetric:
    """The metric of a CRS within bounds: converts steps in its coordinates to lengths and areas on the ellipsoid."""

    samples: FloatArray
    """(row, col, 4): E, F, G and the area scale (see :func:`metric_tensor`), starting at the lower left corner."""
    frame: FloatArray
    """(4,): x and y of the first sample, and the sample spacing in x and y, in CRS units."""

    @classmethod
    def for_bounds(cls, crs: CRS | None, bounds: Bounds) -> Self:
        """Sample the metric of a CRS.

        Args:
            crs: The CRS; if None or geocentric, the metric is NaN. Where the CRS is undefined, the nominal size of its
                unit is used.
            bounds: Left, bottom, right and top in CRS units.
        """
        left, bottom, right, top = bounds
        span = max(right - left, top - bottom, 1e-9)
        is_wide = crs is not None and span > (5 if crs.is_geographic else 500_000)
        steps = np.arange(WIDE_SAMPLES_PER_AXIS if is_wide else SAMPLES_PER_AXIS)
        spacing = max((right - left) / steps[-1], span * 1e-6), max((top - bottom) / steps[-1], span * 1e-6)
        frame = np.array([left, bottom, *spacing])
        if crs is None or crs.is_geocentric:  # x and y do not locate a point on the ellipsoid
            return cls(np.full((SAMPLES_PER_AXIS, SAMPLES_PER_AXIS, 4), math.nan), frame)
        x, y = np.meshgrid(left + steps * spacing[0], bottom + steps * spacing[1])
        return cls(metric_tensor(crs, x, y, span), frame)

    def measure(self, polygons: PolygonArrays) -> Measures:
        """Measure polygons that are within the bounds of the metric."""
        count = len(polygons)
        areas, lengths, bounds = np.empty(count), np.empty(count), np.empty((count, 4))
        points, rings, polygon_rings = polygons.points, polygons.ring_offsets, polygons.polygon_rings
        _measure(points, rings, polygon_rings, self.samples, self.frame, areas, lengths, bounds)
        return Measures(areas, lengths, bounds)


def metric_tensor(crs: CRS, x: Any, y: Any, span: float) -> FloatArray:
    """Compute the metric tensor of a CRS, using central differences of geocentric coordinates.

    These differences are also correct at the poles and at the antimeridian.

    Args:
        crs: The CRS.
        x: x coordinates in CRS units, an array of any shape.
        y: y coordinates, an array of the same shape.
        span: Extent of the area of interest in CRS units. The step for differences is a thousandth of the extent, but
            at least about ten meters, because rounding errors would dominate with smaller steps.

    Returns:
        E, F and G (square meters per square unit for xx, xy and yy) and the area scale (square meters per square unit),
        along a new last axis.
    """
    step = max(span / 1000, 1e-4 if crs.is_geographic else 10)
    half = step / 2
    along_x = (_to_geocentric(crs, x + half, y) - _to_geocentric(crs, x - half, y)) / step
    along_y = (_to_geocentric(crs, x, y + half) - _to_geocentric(crs, x, y - half)) / step
    e, f, g = (along_x**2).sum(axis=-1), (along_x * along_y).sum(axis=-1), (along_y**2).sum(axis=-1)
    tensor = np.stack([e, f, g, np.sqrt(np.maximum(e * g - f * f, 0))], axis=-1)
    unit = unit_factor(crs)
    return np.where(np.isfinite(tensor), tensor, np.array([unit**2, 0, unit**2, unit**2]))


def metric_at_center(crs: CRS, bounds: Bounds) -> FloatArray:
    """Compute E, F, G and the area scale (4,) at the center of bounds; see :func:`metric_tensor`."""
    left, bottom, right, top = bounds
    center = np.array((left + right) / 2), np.array((bottom + top) / 2)
    return metric_tensor(crs, *center, max(right - left, top - bottom))


def meters_per_unit(crs: CRS, bounds: Bounds) -> float:
    """Return the length in meters of one CRS unit on the ellipsoid at the center of bounds."""
    return float(metric_at_center(crs, bounds)[3] ** 0.5)


def measure_polygons(geometries: NDArray[np.object_], crs: CRS | None) -> tuple[FloatArray, FloatArray]:
    """Measure shapely Polygons and MultiPolygons on the ellipsoid.

    Args:
        geometries: Polygons in the coordinates of the CRS.
        crs: The CRS.

    Returns:
        The area in square meters and the perimeter in meters of each polygon; NaN if there is no CRS.
    """
    if crs is None or not len(geometries):
        return np.full(len(geometries), math.nan), np.full(len(geometries), math.nan)
    left, bottom, right, top = (float(side) for side in shapely.total_bounds(geometries))
    measures = LocalMetric.for_bounds(crs, (left, bottom, right, top)).measure(
        PolygonArrays.from_geometries(geometries)
    )
    return measures.areas, measures.perimeters


@dataclass(frozen=True)
class PixelSize:
    """The size of the pixels of a grid on the ellipsoid."""

    areas_m2: FloatArray
    """(row,): area in square meters of the pixel in the middle of each row."""
    width_m: float
    """Distance in meters from one column to the next, at the center of the grid."""
    height_m: float
    """Distance in meters from one row to the next, at the center of the grid."""

    @classmethod
    def from_grid(cls, grid: Grid) -> Self:
        """Measure the pixels of a grid that has a CRS."""
        assert grid.crs is not None
        t, rows, col = grid.transform, np.arange(grid.height) + 0.5, grid.width / 2
        x, y = t.a * col + t.b * rows + t.c, t.d * col + t.e * rows + t.f
        left, bottom, right, top = grid.bounds
        e, f, g, scale = metric_tensor(grid.crs, x, y, max(right - left, top - bottom)).T
        middle = grid.height // 2
        width, height = (
            float(np.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy)[middle]) for dx, dy in ((t.a, t.d), (t.b, t.e))
        )
        return cls(scale * abs(t.determinant), width, height)


def _to_geocentric(crs: CRS, x: FloatArray, y: FloatArray) -> FloatArray:
    """Convert to geocentric (x, y, z) in meters; NaN where the CRS is not defined."""
    try:
        lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    except (CRSError, ProjError):  # a CRS without a relation to the globe, such as an engineering CRS
        return np.full((*x.shape, 3), np.nan)
    lon, lat = (np.radians(np.where(np.isfinite(d), d, np.nan)) for d in (lon, lat))
    prime_vertical = WGS84_SEMI_MAJOR_M / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
    from_axis = prime_vertical * np.cos(lat)
    height = prime_vertical * (1 - WGS84_ECCENTRICITY_SQUARED) * np.sin(lat)
    return np.stack([from_axis * np.cos(lon), from_axis * np.sin(lon), height], axis=-1)


@njit
def _interpolate(samples: FloatArray, frame: FloatArray, x: float, y: float) -> tuple[float, float, float, float]:
    """Interpolate the metric bilinearly; beyond the samples, use the values at the edge."""
    u = min(max((x - frame[0]) / frame[2], 0.0), samples.shape[1] - 1.000001)
    v = min(max((y - frame[1]) / frame[3], 0.0), samples.shape[0] - 1.000001)
    col, row = int(u), int(v)
    u, v = u - col, v - row
    w00, w01, w10, w11 = (1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v
    a, b, c, d = samples[row, col], samples[row, col + 1], samples[row + 1, col], samples[row + 1, col + 1]
    return (
        w00 * a[0] + w01 * b[0] + w10 * c[0] + w11 * d[0],
        w00 * a[1] + w01 * b[1] + w10 * c[1] + w11 * d[1],
        w00 * a[2] + w01 * b[2] + w10 * c[2] + w11 * d[2],
        w00 * a[3] + w01 * b[3] + w10 * c[3] + w11 * d[3],
    )


@njit
def _measure(
    points: FloatArray,
    rings: IntArray,
    polygons: IntArray,
    samples: FloatArray,
    frame: FloatArray,
    areas: FloatArray,
    lengths: FloatArray,
    bounds: FloatArray,
) -> None:
    """Fill ``areas``, ``lengths`` and ``bounds``; holes are oriented the other way, so their areas are subtracted."""
    for k in range(len(polygons) - 1):
        first, stop = rings[polygons[k]], rings[polygons[k + 1]]
        left, bottom, right, top = math.inf, math.inf, -math.inf, -math.inf
        for i in range(first, stop):
            left, right = min(left, points[i, 0]), max(right, points[i, 0])
            bottom, top = min(bottom, points[i, 1]), max(top, points[i, 1])
        bounds[k, 0], bounds[k, 1], bounds[k, 2], bounds[k, 3] = left, bottom, right, top
        e, f, g, scale = _interpolate(samples, frame, (left + right) / 2, (bottom + top) / 2)
        change = 0.0
        for x, y in ((left, bottom), (left, top), (right, bottom), (right, top)):
            ce, _, cg, cs = _interpolate(samples, frame, x, y)
            change = max(change, abs(cs - scale) / scale, abs(ce - e) / e, abs(cg - g) / g)
        area, length = 0.0, 0.0
        for ring in range(polygons[k], polygons[k + 1]):
            for i in range(rings[ring], rings[ring + 1] - 1):
                dx, dy = points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1]
                if change > MAX_SCALE_CHANGE:
                    side, strip = _integrate_side(samples, frame, left, points[i, 0], points[i, 1], dx, dy)
                    area, length = area + strip, length + side
                else:
                    area += (points[i, 0] - left + dx / 2) * dy * scale
                    length += math.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy)
        areas[k], lengths[k] = abs(area), length


@njit
def _integrate_side(
    samples: FloatArray, frame: FloatArray, left: float, x: float, y: float, dx: float, dy: float
) -> tuple[float, float]:
    """Return the length of the side from (x, y) to (x + dx, y + dy), and the area between it and the line x = left.

    Both are on the ellipsoid, in meters and square meters. They are integrated with Simpson's rule along the side and,
    for the area, in the x direction. The area is negative if y decreases along the side.
    """
    length, area = 0.0, 0.0
    for part, weight in ((0.0, 1 / 6), (0.5, 2 / 3), (1.0, 1 / 6)):
        width = x + part * dx - left
        e, f, g, near = _interpolate(samples, frame, left + width, y + part * dy)
        middle = _interpolate(samples, frame, left + width / 2, y + part * dy)[3]
        far = _interpolate(samples, frame, left, y + part * dy)[3]
        area += weight * width * (near + 4 * middle + far) / 6
        length += weight * math.sqrt(e * dx * dx + 2 * f * dx * dy + g * dy * dy)
    return length, area * dy
