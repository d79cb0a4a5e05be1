"""Grids: where pixels lie, in CRS units and in metres."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from strategies import grids, windows

from geoseg.errors import GridMismatch
from geoseg.grid.grid import Grid, map_point
from geoseg.grid.window import Window

METRE = Affine(1, 0, 0, 0, -1, 0)


def near(grid: Grid, other: Grid) -> bool:
    return grid.matches(other, tolerance=1e-4)


@given(grids(), windows(), windows())
def test_cropping_twice_is_cropping_once(grid, first, second) -> None:
    assert near(grid.crop(first).crop(second), grid.crop(second.shift(first.row, first.col)))


@given(grids(), windows(least=1))
def test_a_crops_pixels_lie_where_they_lay(grid, window) -> None:
    crop = grid.crop(window)
    here = map_point(crop.transform, 2.5, 1.5)
    there = map_point(grid.transform, window.col + 2.5, window.row + 1.5)
    assert math.dist(here, there) < 1e-4 * min(grid.pixel_size)


@given(grids(), windows(least=1))
def test_the_window_around_a_windows_corners_is_that_window(grid, window) -> None:
    assert grid.window_around(np.array(grid.crop(window).corners)) == window


@given(grids(), windows(least=1), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_the_window_around_a_point_is_its_pixel(grid, window, down, across) -> None:
    point = map_point(grid.transform, window.col + across, window.row + down)
    assert grid.window_around(np.array([point])) == Window(window.row, window.col, 1, 1)


@given(grids())
def test_the_crop_of_the_whole_grid_is_the_grid(grid) -> None:
    assert grid.crop(grid.window) == grid
    assert grid.window.shape == grid.shape


@given(grids(), st.integers(1, 500), st.integers(1, 500))
def test_another_shape_covers_the_same_ground(grid, height, width) -> None:
    other = grid.with_shape(height, width)
    assert other.shape == (height, width)
    for mine, its in zip(grid.corners, other.corners, strict=True):
        assert math.dist(mine, its) < 1e-4 * min(grid.pixel_size)


@given(grids(), st.floats(0.01, 3))
def test_resampling_keeps_the_ground_and_multiplies_the_pixels(grid, factor) -> None:
    other = grid.resample(factor)
    assert other.bounds == pytest.approx(grid.bounds, rel=1e-9, abs=1e-6)
    assert other.height == max(round(grid.height * factor), 1)
    assert other.width == max(round(grid.width * factor), 1)


@given(grids())
def test_the_bounds_hold_every_corner(grid) -> None:
    left, bottom, right, top = grid.bounds
    assert all(left <= x <= right and bottom <= y <= top for x, y in grid.corners)


@given(grids(turned=False))
def test_pixels_have_the_size_they_were_given_whichever_way_up(grid) -> None:
    assert grid.pixel_size == (abs(grid.transform.e), abs(grid.transform.a))


@given(grids(), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_a_grid_is_the_same_only_within_its_tolerance(grid, right, down) -> None:
    x, y = map_point(grid.transform, right, down)
    t = grid.transform
    moved = Grid(grid.crs, Affine(t.a, t.b, x, t.d, t.e, y), *grid.shape)
    off = math.dist((x, y), (t.c, t.f)) / min(grid.pixel_size)
    assert moved.matches(grid, tolerance=off * 1.01 + 1e-6)
    assert off < 1e-3 or not moved.matches(grid, tolerance=off * 0.99 - 1e-6)


@pytest.mark.parametrize(
    ("other", "how"),
    [
        (Grid(CRS(32633), METRE, 10, 21), "10 x 20 pixels and 10 x 21"),
        (Grid(CRS(32634), METRE, 10, 20), "EPSG:32633 and EPSG:32634"),
        (Grid(None, METRE, 10, 20), "EPSG:32633 and no CRS"),
        (Grid(CRS(32633), Affine(1, 0, 5, 0, -1, 0), 10, 20), r"\(0\.0, 0\.0\) and \(5\.0, 0\.0\)"),
    ],
)
def test_a_mismatch_says_how_two_grids_differ(other, how) -> None:
    grid = Grid(CRS(32633), METRE, 10, 20)
    grid.require_match(Grid(CRS(32633), METRE, 10, 20))
    with pytest.raises(GridMismatch, match=how) as error:
        grid.require_match(other, "the image", "labels.tif")
    assert error.value.message.startswith("the image and labels.tif are on different grids")


def test_without_crs_there_are_no_metres() -> None:
    grid = Grid(None, METRE, 10, 20)
    assert grid.gsd is None
    with pytest.raises(GridMismatch, match="no CRS"):
        grid.pixel_area_m2()


def test_feet_are_no_metres() -> None:
    grid = Grid(CRS(2263), Affine(1, 0, 980_000, 0, -1, 195_000), 100, 100)
    assert grid.gsd == pytest.approx(0.3048, rel=1e-3)


@pytest.mark.parametrize("pole", ["EPSG:3031", "EPSG:3413"])
def test_pixels_at_a_pole_have_an_area(pole) -> None:
    at_pole = Grid(CRS(pole), Affine(100, 0, -1000, 0, -100, 1000), 20, 20)
    beside = Grid(CRS(pole), Affine(100, 0, 4000, 0, -100, 1000), 20, 20)
    assert at_pole.pixel_area_m2() == pytest.approx(beside.pixel_area_m2(), rel=1e-4)


def test_a_pixel_on_the_date_line_is_as_large_as_its_neighbours() -> None:
    x, y = Transformer.from_crs("OGC:CRS84", 32760, always_xy=True).transform(180.0, -17.0)
    areas = [Grid(CRS(32760), Affine(10, 0, x + d, 0, -10, y), 2, 2).pixel_area_m2() for d in (-10, 4000)]
    assert areas[0] == pytest.approx(areas[1], rel=1e-3)


def test_a_crs_without_a_way_to_the_globe_counts_in_its_own_metres() -> None:
    local = CRS('LOCAL_CS["works",UNIT["foot",0.3048]]')
    assert Grid(local, Affine(2, 0, 0, 0, -2, 0), 9, 9).gsd == pytest.approx(0.6096)


@given(grids().filter(lambda grid: grid.crs))
def test_the_gsd_squared_is_the_pixels_area(grid) -> None:
    assert grid.gsd**2 == pytest.approx(grid.pixel_area_m2())
