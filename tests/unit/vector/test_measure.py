"""Areas and perimeters on the ellipsoid match GeographicLib, from pixels to countries, in every kind of CRS."""

import math

import numpy as np
import pytest
import shapely
from affine import Affine
from helpers.vectors import FIVE_METRES, ROTATED, UTM
from pyproj import CRS, Geod, Transformer

from geoseg.grid.grid import Grid
from geoseg.vector.measure import LocalMetric, PixelSize, measure_polygons, meters_per_unit
from geoseg.vector.polygon_arrays import PolygonArrays

PLACES = [
    (32633, 5e5, 5.5e6, 1.0),  # UTM
    (3857, 1e6, 8.4e6, 1.0),  # Web Mercator at 60 degrees north: planar areas are four times too large
    (4326, 13.0, 52.0, 1 / 9e4),  # degrees
    (4326, 179.99, -70.0, 1 / 9e4),  # across the antimeridian
    (2263, 9.8e5, 2e5, 3.28),  # US survey feet
    (5070, -1e5, 1.8e6, 1.0),  # equal area
    (3031, 1e6, 1e6, 1.0),  # polar
]


def geodesic(geometry: shapely.Polygon, crs: CRS) -> tuple[float, float]:
    """Area and perimeter by GeographicLib, along lines that are straight in the CRS."""
    dense = shapely.segmentize(geometry, math.sqrt(geometry.area) / 200)
    to_globe = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    on_globe = shapely.transform(dense, lambda points: np.stack(to_globe.transform(*points.T), axis=1))
    area, perimeter = Geod(ellps="WGS84").geometry_area_perimeter(on_globe)
    return abs(area), perimeter


@pytest.mark.parametrize(("code", "x", "y", "metre"), PLACES)
@pytest.mark.parametrize("side", [3, 300, 30_000, 300_000])
def test_areas_and_perimeters_match_geographiclib(code, x, y, metre, side):
    crs = CRS.from_epsg(code)
    shape = shapely.box(x, y, x + side * metre, y + 1.7 * side * metre)
    (area,), (perimeter,) = measure_polygons(np.array([shape]), crs)
    assert (area, perimeter) == pytest.approx(geodesic(shape, crs), rel=1e-4)


@pytest.mark.parametrize(("code", "x", "y", "metre"), PLACES)
def test_errors_are_below_a_thousandth_in_layers_of_any_width(code, x, y, metre):
    crs = CRS.from_epsg(code)
    ground = LocalMetric.for_bounds(crs, (x, y, x + 2e6 * metre, y + 2e6 * metre))
    for side in (3, 300, 30_000, 300_000):
        shape = shapely.orient_polygons(shapely.Point(x + 3e5 * metre, y + 3e5 * metre).buffer(side * metre))
        shapes = PolygonArrays.from_geometries(np.array([shape]))
        (area,), (perimeter,), _ = ground.measure(shapes)
        assert (area, perimeter) == pytest.approx(geodesic(shape, crs), rel=1e-3)


def test_holes_are_not_counted():
    shape = shapely.box(0, 0, 100, 100).difference(shapely.box(20, 20, 40, 40))
    moved = shapely.transform(shape, lambda points: points + 5e5)
    assert measure_polygons(np.array([moved]), UTM)[0][0] == pytest.approx(9600 / 0.9996**2, rel=1e-5)


def test_tiny_pixels_keep_their_area_where_geodesics_round():
    pixel = shapely.box(5e5, 5e6, 5e5 + 0.02, 5e6 + 0.02)
    assert measure_polygons(np.array([pixel]), UTM)[0][0] == pytest.approx(4e-4 / 0.9996**2, rel=1e-5)


def test_a_pixel_has_the_area_its_grid_says():
    grid = Grid(UTM, FIVE_METRES, 1, 1)
    assert measure_polygons(np.array([shapely.box(*grid.bounds)]), UTM)[0][0] == pytest.approx(
        grid.pixel_area_m2(), rel=1e-6
    )


def test_without_crs_areas_are_unknown():
    assert np.isnan(measure_polygons(np.array([shapely.box(0, 0, 1, 1)]), None)).all()


def test_a_crs_away_from_the_globe_counts_its_own_units():
    site = CRS.from_wkt(
        'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["km",1000]]'
    )
    assert measure_polygons(np.array([shapely.box(0, 0, 2, 3)]), site)[0][0] == pytest.approx(6e6)


def test_meters_per_unit_are_those_at_the_center():
    assert meters_per_unit(CRS.from_epsg(4326), (10, -0.5, 11, 0.5)) == pytest.approx(110_950, rel=1e-3)


@pytest.mark.parametrize("transform", [FIVE_METRES, ROTATED])
def test_pixels_of_a_grid_are_measured_on_the_ellipsoid(transform):
    size = PixelSize.from_grid(Grid(UTM, transform, 10, 20))
    assert size.areas_m2 == pytest.approx(np.full(10, 25 / 0.9996**2), rel=1e-3)
    assert (size.width_m, size.height_m) == pytest.approx((5, 5), rel=1e-3)


def test_pixels_in_degrees_are_smaller_near_the_poles():
    size = PixelSize.from_grid(Grid(CRS.from_epsg(4326), Affine(1, 0, 0, 0, -1, 80), 160, 10))
    assert size.areas_m2[0] / size.areas_m2[79] == pytest.approx(np.cos(np.radians(79.5)), rel=0.03)
