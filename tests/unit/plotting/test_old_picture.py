"""Polygons as lines over pixels."""

import numpy as np
import pytest
from affine import Affine
from strategies_vector import FIVE_METRES, ROTATED, UTM, layer_of

from geoseg.grid.grid import Grid
from geoseg.plotting.panels import pixel_lines

MASK = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8)


@pytest.mark.parametrize("transform", [FIVE_METRES, ROTATED], ids=["north-up", "rotated"])
def test_lines_are_rings_in_rows_and_columns(transform):
    lines = pixel_lines(layer_of(MASK, transform=transform), Grid(UTM, transform, 3, 3))
    assert [value for value, _ in lines] == [1, 0, 0]
    assert sorted({tuple(point) for point in lines[0][1].round(3).tolist()}) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_layers_in_another_crs_are_reprojected():
    grid = Grid(UTM, FIVE_METRES, 3, 3)
    layer = layer_of(MASK)
    elsewhere = type(layer)(layer.frame.to_crs(4326), layer.legend)
    for (_, here), (_, there) in zip(pixel_lines(layer, grid), pixel_lines(elsewhere, grid), strict=True):
        assert np.allclose(here, there, atol=1e-3)


def test_polygons_away_from_the_grid_give_no_lines():
    away = Grid(UTM, Affine(5, 0, 9e5, 0, -5, 5.8e6), 3, 3)
    assert pixel_lines(layer_of(MASK), away) == []
    assert pixel_lines(layer_of(np.full((3, 3), 255, np.uint8)), away) == []
