"""The boxes of a grid contain every one of its points in the CRS of the layer; the oracle transforms pixel corners."""

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Transformer

from geoseg.grid.grid import Grid
from geoseg.vector.io.bounding_boxes import find_boxes

CRSS = ["EPSG:4326", "EPSG:3857", "EPSG:6933", "EPSG:8857", "ESRI:54009", "EPSG:3832"]


def grid_around(crs, lon, lat, pixel):
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    return Grid(CRS(crs), Affine(pixel, 0, x - pixel * 50, 0, -pixel, y + pixel * 50), 100, 100)


GRIDS = {
    "UTM 60S": grid_around(32760, 180, -17, 100),
    "UTM 1N": grid_around(32601, -180, 60, 1000),
    "0 to 360": Grid(CRS(4326), Affine(0.01, 0, 179.5, 0, -0.01, -17), 100, 100),
    "UTM 26N": grid_around(32626, -30, 40, 500),
    "Berlin": grid_around(32633, 13, 52, 100),
    "north pole": grid_around(3413, 0, 90, 10_000),
}


@pytest.mark.parametrize("crs", CRSS)
@pytest.mark.parametrize("place", GRIDS)
def test_boxes_contain_all_points_of_the_grid(place, crs):
    grid = GRIDS[place]
    boxes = find_boxes(grid, CRS(crs))
    col, row = np.meshgrid(np.arange(0, 101, 2), np.arange(0, 101, 2))
    t = grid.transform
    x, y = Transformer.from_crs(grid.crs, crs, always_xy=True).transform(t.a * col + t.c, t.e * row + t.f)
    found = np.zeros(x.shape, bool)
    for left, bottom, right, top in boxes:
        found |= (left <= x) & (x <= right) & (bottom <= y) & (y <= top)
    assert found.all()
    if place != "north pole":
        assert sum(right - left for left, _, right, _ in boxes) < 0.2 * (360 if crs == "EPSG:4326" else 3e7)
