"""Dropping vertices beside a window changes no pixel; the oracle is GDAL, which burns the whole polygons."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.features import rasterize as burn

from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.vector import distant_vertices
from geoseg.vector.distant_vertices import drop_distant_vertices
from geoseg.vector.label_polygons import LabelPolygons

TRANSFORMS = [
    Affine(1, 0, 0, 0, -1, 40),
    Affine(1, 0, 0, 0, 1, 0),
    Affine(0.8, 0.6, -10, 0.6, -0.8, 30),
]


def star(rng, vertices, decimals):
    """A star-shaped polygon, maybe with a hole, with vertices on the borders and in the centers of pixels."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, vertices))
    radii = rng.uniform(5, 25, vertices)
    ring = np.round(np.column_stack([20 + radii * np.cos(angles), 20 + radii * np.sin(angles)]) * 2, decimals) / 2
    hole = 20 + (ring - 20) * 0.4
    return shapely.make_valid(shapely.Polygon(ring, [hole] if rng.random() < 0.5 else []))


@pytest.fixture(autouse=True)
def every_polygon_is_large(monkeypatch):
    monkeypatch.setattr(distant_vertices, "MIN_VERTICES", 0)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=["north-up", "south-up", "rotated"])
@given(seed=st.integers(0, 2**32), vertices=st.integers(3, 60), decimals=st.integers(0, 6), rows=st.integers(1, 17))
def test_strips_are_equal_to_the_whole_polygons_burned_at_once(transform, seed, vertices, decimals, rows):
    rng = np.random.default_rng(seed)
    geometries = np.array([star(rng, vertices, decimals) for _ in range(3)], dtype=object)
    geometries = np.array([each for each in geometries if each.area > 0 and "Polygon" in each.geom_type], dtype=object)
    if not len(geometries):
        return
    grid = Grid(CRS(32633), transform, 40, 40)
    values = np.arange(1, len(geometries) + 1)
    expected = burn(zip(geometries, values, strict=True), grid.shape, transform=transform, dtype=np.uint8)
    labels = LabelPolygons(geometries, values)
    for window in strips(40, 40, rows):
        part = grid.crop(window)
        found, is_touched = labels.burn(part, fill=0)
        whole = burn(zip(geometries, values, strict=True), part.shape, transform=part.transform, dtype=np.uint8)
        np.testing.assert_array_equal(found, whole)
        assert is_touched == bool(whole.any())
        if (
            transform.b == 0
        ):  # on a rotated grid, GDAL rounds vertices in the centers of pixels differently for each window
            np.testing.assert_array_equal(found, expected[window.slices()])


def test_only_the_vertices_near_the_rows_of_the_window_remain():
    angles = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    ring = 500 + 400 * np.column_stack([np.cos(angles), np.sin(angles)])
    polygon = np.array([shapely.Polygon(ring, [500 + (ring - 500) / 1000])], dtype=object)
    grid = Grid(CRS(32633), Affine(1, 0, 0, 0, -1, 700), 10, 1000)
    (reduced,) = drop_distant_vertices(polygon, grid)
    inside = (ring[:, 1] > 700 - 11) & (ring[:, 1] < 701)
    assert shapely.get_num_coordinates(reduced) <= inside.sum() + 10
    assert shapely.get_num_interior_rings(reduced) == 0
    assert drop_distant_vertices(polygon, Grid(CRS(32633), Affine(1, 0, 0, 0, -1, 2000), 10, 10))[0] is None


def test_polygons_with_few_vertices_are_unchanged(monkeypatch):
    monkeypatch.setattr(distant_vertices, "MIN_VERTICES", 6)
    geometries = np.array([shapely.box(0, 0, 9, 9)], dtype=object)
    assert drop_distant_vertices(geometries, Grid(CRS(32633), Affine(1, 0, 0, 0, -1, 100), 1, 1)) is geometries
