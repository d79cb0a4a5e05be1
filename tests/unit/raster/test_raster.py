"""Pixels stay with their grid."""

import numpy as np
from affine import Affine
from helpers.rasters import noise

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.raster.raster import Raster


def example() -> Raster:
    valid = np.ones((6, 8), np.bool_)
    valid[0] = False
    return Raster(noise(2, 6, 8), valid, Grid(None, Affine(2, 0, 100, 0, -2, 50), 6, 8))


def test_a_crop_takes_values_validity_and_place_along() -> None:
    raster = example()
    crop = raster.crop(Window(0, 3, 4, 5))
    assert np.array_equal(crop.values, raster.values[:, :4, 3:])
    assert np.array_equal(crop.valid, raster.valid[:4, 3:])
    assert crop.grid.transform == Affine(2, 0, 106, 0, -2, 50)


def test_filling_changes_only_what_is_not_valid() -> None:
    raster = example()
    filled = raster.fill(9)
    assert filled.dtype == raster.values.dtype
    assert (filled[:, ~raster.valid] == 9).all()
    assert np.array_equal(filled[:, raster.valid], raster.values[:, raster.valid])
