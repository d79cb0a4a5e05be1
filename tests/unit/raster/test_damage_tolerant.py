"""Damaged scenes: what can be read is as ever, what cannot is not valid and remembered."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.rasters import UTM, damage, make_raster, noise, padded
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import windows_around

from geoseg.errors import SceneError
from geoseg.grid.window import Window
from geoseg.raster.damage_tolerant import DamageTolerantScene
from geoseg.raster.scene import Scene

HEIGHT, WIDTH, BLOCK = 100, 130, 32
HURT = Window(32, 64, BLOCK, BLOCK)
EDGE = Window(96, 128, 4, 2)
"""The last block, of which the scene holds a corner."""


def written(path, values=None, **profile):
    values = noise(2, HEIGHT, WIDTH, low=1) if values is None else values
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "interleave": "pixel"}
    return make_raster(path, values, **UTM, **layout | profile)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return written(tmp_path_factory.mktemp("scenes") / "whole.tif")


@pytest.fixture(scope="module")
def hurt(tmp_path_factory):
    return damage(written(tmp_path_factory.mktemp("scenes") / "hurt.tif"), (1, 2), (3, 4))


def test_a_damaged_block_is_an_error_that_names_the_window_unless_it_is_tolerated(hurt):
    with Scene.open(hurt) as scene, pytest.raises(SceneError, match="rows 40 to 49, columns 70 to 79"):
        scene.read(Window(40, 70, 10, 10))
    with DamageTolerantScene.open(hurt) as scene:
        assert not scene.read(Window(40, 70, 10, 10)).valid.any()
        assert scene.damaged == {HURT}


def lost(window):
    """True where a window's pixels (row, col) lie in damaged blocks."""
    damaged = np.zeros((HEIGHT, WIDTH), np.bool_)
    for block in (HURT, EDGE):
        damaged[block.slices()] = True
    return padded(damaged, window)


@settings(max_examples=25)
@given(window=windows_around(HEIGHT, WIDTH))
@pytest.mark.parametrize("bands", [None, [1], [1, 0]])
def test_outside_the_damage_everything_is_as_ever(whole, hurt, window, bands):
    with Scene.open(whole) as expected, DamageTolerantScene.open(hurt) as scene:
        right, found = expected.read(window, bands), scene.read(window, bands)
        gone = lost(window)
        np.testing.assert_array_equal(found.valid, right.valid & ~gone)
        np.testing.assert_array_equal(found.values, np.where(gone, 0, right.values))
        assert (found.grid, found.values.dtype) == (right.grid, right.values.dtype)
        inside = window.intersection(scene.grid.window)
        assert scene.damaged == {block for block in (HURT, EDGE) if not block.intersection(inside).is_empty}


@settings(max_examples=25)
@given(window=windows_around(HEIGHT, WIDTH), shape=st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_other_pixel_sizes_have_the_shape_asked_for_and_hold_nothing_of_the_damage(whole, hurt, window, shape):
    with Scene.open(whole) as expected, DamageTolerantScene.open(hurt) as scene:
        found, right = scene.read(window, shape=shape), expected.read(window, shape=shape)
        assert (found.valid.shape, found.grid) == (shape, right.grid)
        reach = 2 + 2 * max(window.height // shape[0], window.width // shape[1])  # resampling looks around the window
        if not lost(window.pad(reach)).any():
            np.testing.assert_array_equal(found.values, right.values)
            np.testing.assert_array_equal(found.valid, right.valid)
        elif scene.damaged:
            full, gone = expected.read(window), lost(window)
            rows, cols = (
                ((np.arange(output) + 0.5) * size / output).astype(int)
                for size, output in zip(window.shape, shape, strict=True)
            )
            valid = (full.valid & ~gone)[np.ix_(rows, cols)]
            np.testing.assert_array_equal(found.valid, valid)
            np.testing.assert_array_equal(found.values, np.where(valid, full.values[:, rows[:, None], cols], 0))
        else:
            np.testing.assert_array_equal(found.valid, right.valid)


@pytest.mark.parametrize("profile", [{"nodata": 7}, {"interleave": "band"}, {"tiled": False, "blockysize": 16}])
def test_nodata_and_other_layouts_of_files(tmp_path, profile):
    values = noise(2, HEIGHT, WIDTH, low=5, high=10)
    right = written(tmp_path / "right.tif", values, **profile)
    hurt = damage(written(tmp_path / "hurt.tif", values, **profile), (2, 0))
    with Scene.open(right) as expected, DamageTolerantScene.open(hurt) as scene:
        full, found = expected.read(expected.grid.window), scene.read(scene.grid.window)
        (block,) = scene.damaged
        assert block == Window(32, 0, 16, WIDTH) if "tiled" in profile else block == Window(64, 0, BLOCK, BLOCK)
        gone = np.zeros((HEIGHT, WIDTH), np.bool_)
        gone[block.slices()] = True
        np.testing.assert_array_equal(found.valid, full.valid & ~gone)
        np.testing.assert_array_equal(found.values, np.where(gone, 0, full.values))


def test_reading_again_and_in_many_threads_gives_the_same(hurt):
    with DamageTolerantScene.open(hurt) as scene:
        first = scene.read(scene.grid.window)
        with ThreadPoolExecutor(4) as pool:
            again = list(pool.map(lambda _: scene.read(scene.grid.window), range(8)))
        for raster in again:
            np.testing.assert_array_equal(raster.values, first.values)
            np.testing.assert_array_equal(raster.valid, first.valid)
        assert scene.damaged == {HURT, EDGE}


def test_a_whole_scene_is_as_ever(whole):
    with Scene.open(whole) as plain, plain.reopen(DamageTolerantScene) as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.window).values, plain.read(plain.grid.window).values)
        assert scene.damaged == set()


def test_it_may_be_sent_to_another_process(hurt):
    with DamageTolerantScene.open(hurt) as scene:
        sent = pickle.loads(pickle.dumps(scene))
    with sent:
        assert isinstance(sent, DamageTolerantScene)
        assert not sent.read(HURT).valid.any()
        assert sent.damaged == {HURT}


def test_a_file_that_has_vanished_is_an_error_all_the_same(tmp_path):
    path = damage(written(tmp_path / "scene.tif"), (1, 2))
    with DamageTolerantScene.open(path) as scene:
        path.unlink()
        with pytest.raises(SceneError, match="does not exist"):
            scene.read(Window(0, 0, 10, 10))
        assert scene.damaged == set()


def test_so_is_one_that_vanishes_while_it_is_read(tmp_path):
    path = damage(written(tmp_path / "scene.tif"), (1, 2))
    with DamageTolerantScene.open(path) as scene:
        scene.read(Window(0, 0, 10, 10))
        path.write_bytes(b"")
        with pytest.raises(SceneError, match="is empty"):
            scene.read(Window(64, 0, 10, 10))


@pytest.mark.parametrize("bands", [[2], [-1, 0]])
def test_a_band_that_is_not_there_is_no_damage(hurt, bands):
    with DamageTolerantScene.open(hurt) as scene, pytest.raises(SceneError, match="no band at position"):
        scene.read(Window(0, 0, 10, 10), bands)
    assert scene.damaged == set()


def test_a_scene_that_was_closed_is_no_damage(hurt):
    with DamageTolerantScene.open(hurt) as scene:
        pass
    with pytest.raises(SceneError, match="closed"):
        scene.read(Window(0, 0, 10, 10))
    assert scene.damaged == set()
