"""RGB images of rasters: contrast, bands, a checkerboard where nothing is valid."""

import numpy as np
from affine import Affine
from helpers.rasters import noise

from geoseg.grid.grid import Grid
from geoseg.raster.display import choose_rgb_bands, render_rgb
from geoseg.raster.raster import Raster


def raster_of(values: np.ndarray, valid: np.ndarray | None = None) -> Raster:
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, np.bool_) if valid is None else valid, Grid(None, Affine.identity(), *shape))


def test_bytes_are_shown_as_they_are() -> None:
    values = noise(3, 8, 9)
    assert np.array_equal(render_rgb(raster_of(values)), np.moveaxis(values, 0, -1))


def test_other_values_are_stretched_over_valid_pixels_only() -> None:
    values = np.linspace(1000, 3000, 300, dtype=np.float32).reshape(3, 10, 10)
    values[:, 0], valid = -9999, np.ones((10, 10), np.bool_)
    valid[0] = False
    image = render_rgb(raster_of(values, valid))
    assert (image[1, 0] == 0).all()
    assert (image[-1, -1] == 255).all()
    assert (image[0] >= 232).all()  # a light checker


def test_one_band_is_grey_and_nothing_at_all_is_a_checker() -> None:
    image = render_rgb(raster_of(noise(1, 8, 9, dtype=np.uint16)))
    assert (image == image[..., :1]).all()
    nothing = render_rgb(raster_of(np.zeros((3, 20, 20), np.uint16), np.zeros((20, 20), np.bool_)))
    assert set(np.unique(nothing)) == {232, 255}


def test_bands_to_show_are_found_by_name() -> None:
    assert choose_rgb_bands(["blue", "green", "red", "nir"]) == (2, 1, 0)
    assert choose_rgb_bands(["nir", "red", "green"]) == (0, 1, 2)
    assert choose_rgb_bands(["gray"]) == (0, 0, 0)
