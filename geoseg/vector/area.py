"""Areas on the ground of polygons in any CRS, fast enough for millions of them.

Geodesic polygon areas (GeographicLib, through pyproj) cost tens of microseconds each and, being differences of large
sums, are off by some square centimetres, a ten-thousandth of a pixel of 0.4 m. We take the planar area in CRS
units instead, which is exact for small polygons, and multiply it by the square metres that one square unit covers at the
polygon's centroid. As the centroid is the mean position, a scale that changes linearly across the polygon is integrated
exactly; what remains is the scale's curvature. It shows in a polygon's bounding box, as the difference between the mean
scale of its corners and that of its middle; polygons for which it matters are few, and measured geodesically.
"""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import ProjError

from geoseg.grid.grid import WGS84_ECCENTRICITY_SQUARED, WGS84_SEMI_MAJOR_M

Floats = NDArray[np.float64]

CURVED = 1e-4
"""Relative difference of scale between corners and middle above which a polygon is measured geodesically. Across a box
the mean scale is off by a third of it."""

SEGMENTS = 64
"""Into how many pieces the sides of a large polygon's bounding box would be cut, so that straight lines in the CRS stay
straight there rather than along geodesics."""


def areas_m2(geometries: NDArray[np.object_], crs: CRS | None) -> Floats:
    """The area of each polygon in square metres, on the ellipsoid; nan for all if there is no CRS."""
    if crs is None or not len(geometries):
        return np.full(len(geometries), math.nan)
    planar = shapely.area(geometries)
    centroids = shapely.get_coordinates(shapely.centroid(geometries))
    areas: Floats = planar * square_metres_per_unit(crs, centroids, np.sqrt(planar) / 10)
    large = np.flatnonzero(_curvature(geometries, crs, planar) > CURVED)
    if len(large):
        areas[large] = _geodesic_areas(geometries[large], crs)
    return areas


def square_metres_per_unit(crs: CRS, points: Floats, steps: Floats) -> Floats:
    """How many square metres on the ground one square unit of the CRS covers, at each of (point, 2: x, y).

    The determinant of d(east, north) / d(x, y) by central differences over ``steps`` (point,) in CRS units; see
    :meth:`geoseg.grid.grid.Grid.pixel_area_m2`. Where the CRS does not reach, the square of its unit in metres.
    """
    half = np.maximum(steps, 1e-9) / 2
    x, y = points.T
    lon, lat = _lonlat(crs, np.stack([x - half, x + half, x, x]), np.stack([y, y, y - half, y + half]))
    on_globe = np.isfinite(lon).all(axis=0) & np.isfinite(lat).all(axis=0)
    lon, lat = np.where(on_globe, lon, 0.0), np.where(on_globe, lat, 0.0)
    turns = (np.diff(lon, axis=0)[[0, 2]] + 180) % 360 - 180  # across the antimeridian too
    lats = np.diff(lat, axis=0)[[0, 2]]
    square_degrees = np.abs(turns[0] * lats[1] - turns[1] * lats[0]) / (2 * half) ** 2
    middle = np.radians(lat.mean(axis=0))
    curvature = 1 - WGS84_ECCENTRICITY_SQUARED * np.sin(middle) ** 2
    prime_vertical = WGS84_SEMI_MAJOR_M / np.sqrt(curvature)
    meridian = prime_vertical * (1 - WGS84_ECCENTRICITY_SQUARED) / curvature
    scale = square_degrees * math.radians(1) ** 2 * meridian * prime_vertical * np.cos(middle)
    unit = crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0
    return np.where(on_globe, scale, unit**2)


def units_per_metre(geometries: NDArray[np.object_], crs: CRS) -> float:
    """How many units of the CRS make a metre on the ground, at the middle of the geometries' bounding box."""
    left, bottom, right, top = shapely.total_bounds(geometries)
    middle = np.array([[(left + right) / 2, (bottom + top) / 2]])
    step = np.array([math.sqrt((right - left) * (top - bottom)) / 1000])
    return float(1 / math.sqrt(square_metres_per_unit(crs, middle, step)[0]))


def _lonlat(crs: CRS, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Longitudes and latitudes in degrees; not finite where the CRS does not reach."""
    try:
        lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    except ProjError:  # a CRS without a way to the globe (an engineering CRS, say)
        return np.full_like(x, math.inf), np.full_like(y, math.inf)
    return lon, lat


def _curvature(geometries: NDArray[np.object_], crs: CRS, planar: Floats) -> Floats:
    """How far the mean scale of the corners of each geometry's box is from the scale of its middle, relative to that.

    0 for geometries of less than a kilometre, which are flat.
    """
    boxes = shapely.bounds(geometries)
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    curvature = np.zeros(len(geometries))
    wide = np.flatnonzero(sides > 1000 * units_per_metre(geometries, crs))
    if len(wide):
        steps = np.sqrt(planar[wide]) / 10
        left, bottom, right, top = boxes[wide].T
        corners = [np.stack([x, y], axis=1) for x in (left, right) for y in (bottom, top)]
        mean = np.mean([square_metres_per_unit(crs, corner, steps) for corner in corners], axis=0)
        middle = square_metres_per_unit(crs, np.stack([(left + right) / 2, (bottom + top) / 2], axis=1), steps)
        curvature[wide] = np.abs(mean / middle - 1)
    return curvature


def _geodesic_areas(geometries: NDArray[np.object_], crs: CRS) -> Floats:
    """Areas by GeographicLib, along lines that are straight in the CRS."""
    geod = Geod(ellps="WGS84")
    boxes = shapely.bounds(geometries)
    longest = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / SEGMENTS
    dense = shapely.segmentize(geometries, longest)
    on_globe = shapely.transform(dense, lambda points: np.stack(_lonlat(crs, *points.T), axis=1))
    return np.array([abs(geod.geometry_area_perimeter(shapely.orient_polygons(g))[0]) for g in on_globe])
