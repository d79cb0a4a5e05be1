"""Mosaics: scenes cut out of one are that one again."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.rasters import make_raster, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from geoseg.errors import SceneError
from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.raster.metadata import read_metadata
from geoseg.raster.mosaic import MosaicSource, build_mosaic_vrt, open_mosaic
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import list_vrt_files

TURNED = Affine(0.26, 0.15, 400_000, 0.15, -0.26, 5_800_000)
COARSER = Affine(0.52, 0.3, 400_000, 0.3, -0.52, 5_800_000)
NORTH_UP = Affine(0.3, 0, 400_000, 0, -0.3, 5_800_000)
CRS = "EPSG:32633"
QUARTERS = [Window(0, 0, 24, 30), Window(0, 25, 30, 25), Window(20, 0, 20, 28), Window(22, 20, 18, 30)]
"""Windows that cover 40 x 50 pixels and overlap."""

TOUCHING = [Window(0, 0, 21, 50), Window(21, 0, 19, 23), Window(21, 23, 19, 27)]
"""The same without overlap."""


def cut(folder, values, windows, *, transform=TURNED, mask=None, **options):
    """A scene of its own per window of ``values`` (band, row, col)."""
    paths = []
    for number, window in enumerate(windows):
        here = Grid(None, transform, 40, 50).window_transform(window)
        inside = None if mask is None else mask[window.slices()]
        path = folder / f"part_{number}.tif"
        paths.append(make_raster(path, values[:, *window.slices()], transform=here, crs=CRS, mask=inside, **options))
    return paths


def windows_between(height, width):
    side = st.integers(1, 25)
    return st.builds(Window, st.integers(0, height - 25), st.integers(0, width - 25), side, side)


@settings(max_examples=20)
@given(
    windows=st.lists(windows_between(40, 50), min_size=1, max_size=4),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
)
def test_parts_of_a_scene_are_the_scene_where_they_lie_and_nothing_is_valid_elsewhere(tmp_path_factory, windows, dtype):
    values = noise(3, 40, 50, dtype=dtype)
    covered = np.zeros((40, 50), bool)
    for window in windows:
        covered[window.slices()] = True
    top, left = windows[0].row, windows[0].col
    around = Window(min(w.row for w in windows), min(w.col for w in windows), 40, 50)
    with open_mosaic(cut(tmp_path_factory.mktemp("mosaic"), values, windows)) as mosaic:
        found = mosaic.read(Window(-around.row, -around.col, 40, 50))
        assert mosaic.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found.valid, covered)
        np.testing.assert_array_equal(found.values, np.where(covered, values, 0))
        first = mosaic.grid.crop(Window(top - around.row, left - around.col, 1, 1))
        assert first.transform.almost_equals(Grid(None, TURNED, 40, 50).window_transform(windows[0]), 1e-6)


@pytest.mark.parametrize("kind", ["nodata", "mask", "alpha"])
def test_what_is_not_usable_on_top_lets_the_scene_below_through(tmp_path, kind):
    values = np.maximum(noise(3, 40, 50), 1)
    hole = np.ones((40, 50), bool)
    hole[22:30, 21:28] = False  # inside the overlap of the last two parts
    paths = cut(tmp_path, values, QUARTERS[:3])
    options = {"nodata": {}, "mask": {"mask": hole}, "alpha": {}}[kind]
    top = np.where(hole, values, 0)
    if kind == "nodata":
        paths = cut(tmp_path, values, QUARTERS[:3], nodata=0)
        options = {"nodata": 0}
    if kind == "alpha":
        top = np.concatenate([top, np.where(hole, 255, 0)[None].astype(np.uint8)])
        colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        options = {"colours": colours}
    (tmp_path / "top").mkdir()
    paths += cut(tmp_path / "top", top, QUARTERS[3:], **options)
    if kind != "nodata":
        for path in paths[:3]:
            assert Scene.open(path).validity == "every pixel"
    with open_mosaic(paths) as mosaic:
        found = mosaic.read(mosaic.grid.window)
        assert found.valid.all()
        np.testing.assert_array_equal(found.values, values)


def test_near_infrared_that_is_marked_as_alpha_is_a_band_of_the_mosaic_too(tmp_path):
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    values = noise(4, 40, 50)
    with open_mosaic(cut(tmp_path, values, QUARTERS, colours=colours)) as mosaic:
        found = mosaic.read(mosaic.grid.window)
        assert found.valid.all()
        np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize("factor", [2, 0.5])
@pytest.mark.parametrize("windows", [QUARTERS, TOUCHING], ids=["overlapping", "touching"])
def test_resampling_shows_no_seams(tmp_path, factor, windows):
    values = noise(3, 40, 50)
    shape = round(36 / factor), round(44 / factor)
    whole = make_raster(tmp_path / "whole.tif", values, transform=TURNED, crs=CRS)
    with Scene.open(whole) as scene, open_mosaic(cut(tmp_path, values, windows)) as mosaic:
        window = Window(2, 3, 36, 44)
        np.testing.assert_array_equal(mosaic.read(window, shape=shape).values, scene.read(window, shape=shape).values)


def test_threads_may_read_a_mosaic_together(tmp_path):
    values = noise(3, 40, 50)
    with open_mosaic(cut(tmp_path, values, QUARTERS)) as mosaic, ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda row: mosaic.read(Window(row, 0, 1, 50)).values, list(range(40)) * 5))
    np.testing.assert_array_equal(np.concatenate(rows[:40], axis=1), values)


def test_the_memory_is_given_back(tmp_path):
    with open_mosaic(cut(tmp_path, noise(1, 40, 50), QUARTERS)) as mosaic:
        copy = pickle.loads(pickle.dumps(mosaic))
        copy.close()
    with pytest.raises(SceneError):
        Scene.open(mosaic.path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crs": "EPSG:32632"}, "its CRS is EPSG:32632, not EPSG:32633"),
        ({"transform": COARSER}, "its pixel size is"),
        ({"transform": NORTH_UP}, "or its rotation differs"),
        ({"transform": None}, "it is not georeferenced"),
        ({"nodata": 7}, "its nodata value is 7.0, not None"),
    ],
)
def test_what_does_not_fit_is_named_with_the_reason(tmp_path, changes, words):
    first = make_raster(tmp_path / "first.tif", noise(1, 9, 9), transform=TURNED, crs=CRS)
    odd = make_raster(tmp_path / "odd.tif", noise(1, 9, 9), **({"transform": TURNED, "crs": CRS} | changes))
    with pytest.raises(SceneError, match=words) as caught, open_mosaic([first, odd]):
        pass
    assert str(odd) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("values", "words"),
    [(noise(2, 9, 9), "its bands are"), (noise(1, 9, 9, dtype="uint16"), "its pixel type is uint16, not uint8")],
)
def test_other_bands_or_pixels_do_not_fit(tmp_path, values, words):
    first = make_raster(tmp_path / "first.tif", noise(1, 9, 9), transform=TURNED, crs=CRS)
    odd = make_raster(tmp_path / "odd.tif", values, transform=TURNED, crs=CRS)
    with pytest.raises(SceneError, match=words), open_mosaic([first, odd]):
        pass


def test_a_missing_scene_is_named(tmp_path):
    with pytest.raises(SceneError, match=r"gone\.tif does not exist"), open_mosaic([tmp_path / "gone.tif"]):
        pass


def test_a_vrt_file_is_a_scene(tmp_path):
    values = noise(3, 40, 50)
    parts = [MosaicSource(str(path), read_metadata(str(path))) for path in cut(tmp_path, values, QUARTERS)]
    (tmp_path / "town.vrt").write_bytes(build_mosaic_vrt(parts))
    with Scene.open(tmp_path / "town.vrt") as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, values)


def test_scenes_with_nodata_are_overlaid_pixel_by_pixel(tmp_path):
    below, above = np.full((3, 40, 50), 100, np.uint8), np.full((3, 40, 50), 50, np.uint8)
    above[0, :, ::2] = 0  # a dark red, not a hole
    above[:, 30:] = 0  # a hole
    paths = cut(tmp_path, below, [Window(0, 0, 40, 50)], nodata=0)
    (tmp_path / "top").mkdir()
    paths += cut(tmp_path / "top", above, [Window(0, 0, 40, 50)], nodata=0)
    with open_mosaic(paths) as mosaic:
        found = mosaic.read(mosaic.grid.window)
        half = mosaic.read(mosaic.grid.window, shape=(20, 25))
        files = list_vrt_files(mosaic.path)
    expected = np.where((above == 0).all(axis=0), below, above)
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(half.values[0, :15], 25)  # mean of 0 and 50
    assert {str(path) for path in paths} <= set(files)


def test_scenes_whose_colours_contradict_each_other_do_not_fit(tmp_path):
    values, colours = noise(3, 40, 50), (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    paths = cut(tmp_path, values, QUARTERS[:1], colours=colours)
    (tmp_path / "other").mkdir()
    paths += cut(tmp_path / "other", values, QUARTERS[1:2], colours=colours[::-1])
    for path in paths:
        with rasterio.open(path, "r+") as file:
            file.descriptions = ("x", "y", "z")
    with pytest.raises(SceneError, match="blue, green, red by color interpretation"), open_mosaic(paths):
        pass
