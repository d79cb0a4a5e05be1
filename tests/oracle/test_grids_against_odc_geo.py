"""Grids, windows and pixel areas, computed by odc-geo, rasterio and GeographicLib too."""

import math
from itertools import pairwise

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer
from rasterio import windows as rasterio_windows
from strategies import PLACES, grids, windows

from geoseg.grid.grid import Grid, map_point
from geoseg.grid.window import Window

odc = pytest.importorskip("odc.geo.geobox", reason="odc-geo is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # affine 3, seen from odc-geo


def box(grid: Grid) -> "odc.GeoBox":
    return odc.GeoBox(grid.shape, grid.transform, grid.crs)


def as_rasterio(window: Window) -> rasterio_windows.Window:
    return rasterio_windows.Window(window.col, window.row, window.width, window.height)


def same(transform: Affine, other: Affine, scale: float) -> bool:
    return all(abs(a - b) <= 1e-6 * scale for a, b in zip(transform[:6], other[:6], strict=True))


@given(grids())
def test_bounds_are_those_of_a_geobox(grid) -> None:
    assert grid.bounds == pytest.approx(tuple(box(grid).boundingbox), rel=1e-12, abs=1e-9)


@given(grids(turned=False))
def test_pixels_have_a_geoboxs_resolution(grid) -> None:
    resolution = box(grid).resolution
    assert grid.pixel_size == (abs(resolution.y), abs(resolution.x))


@given(grids(), windows(least=1))
def test_a_crop_is_a_geobox_moved_and_cut(grid, window) -> None:
    other = box(grid).translate_pix(window.col, window.row).crop(window.shape)
    crop = grid.crop(window)
    assert crop.shape == tuple(other.shape)
    assert same(crop.transform, other.transform, min(grid.pixel_size))


@given(grids(), st.integers(1, 400), st.integers(1, 400))
def test_another_shape_is_a_geobox_zoomed(grid, height, width) -> None:
    other = box(grid).zoom_to((height, width))
    assert same(grid.with_shape(height, width).transform, other.transform, min(grid.pixel_size))


@given(grids(), windows(least=1))
def test_a_windows_transform_is_rasterios(grid, window) -> None:
    expected = rasterio_windows.transform(as_rasterio(window), grid.transform)
    assert same(grid.window_transform(window), expected, min(grid.pixel_size))


@given(windows(least=1), windows(least=1))
def test_an_intersection_is_rasterios(a, b) -> None:
    both = a.intersection(b)
    touch = rasterio_windows.intersect([as_rasterio(a), as_rasterio(b)])
    assert both.is_empty != touch
    assert not touch or as_rasterio(both) == as_rasterio(a).intersection(as_rasterio(b))


@given(windows(least=1).filter(lambda window: window.row >= 0 and window.col >= 0))
def test_slices_are_rasterios(window) -> None:
    assert window.slices() == as_rasterio(window).toslices()


def geodesic_area(grid: Grid, window: Window) -> float:
    """Square metres of a window by GeographicLib, its sides followed in small steps."""
    side = np.linspace(0, 1, 40, endpoint=False)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)])
    ring = np.concatenate([a + np.outer(side, b - a) for a, b in pairwise(corners)])
    pixels = ring * (window.width, window.height) + (window.col, window.row)
    points = np.array([map_point(grid.transform, col, row) for col, row in pixels])
    lon, lat = Transformer.from_crs(grid.crs, "OGC:CRS84", always_xy=True).transform(*points.T)
    return abs(Geod(ellps="WGS84").polygon_area_perimeter(lon, lat)[0])


@given(st.sampled_from(sorted(PLACES)), st.integers(-90, 90), st.sampled_from([-1, 1]))
def test_a_pixels_area_is_the_thousandth_thousandth_of_its_block(crs, degrees, way) -> None:
    x, y, size = PLACES[crs]
    cosine, sine = size * math.cos(math.radians(degrees)), size * math.sin(math.radians(degrees))
    grid = Grid(CRS(crs), Affine(cosine, -way * sine, x, sine, way * cosine, y), 1000, 1000)
    assert grid.pixel_area_m2() == pytest.approx(geodesic_area(grid, grid.window) / 1e6, rel=1e-3)
