"""Reading a window gives the same pixels whatever else is read, inside and outside the scene."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from strategies_raster import UTM, make_raster, noise, padded, partitions, windows_around

from geoseg.errors import SceneError
from geoseg.grid.window import Window
from geoseg.raster.scene import Scene

HEIGHT, WIDTH = 37, 51
PIXELS = noise(3, HEIGHT, WIDTH, low=1)
VALID = noise(HEIGHT, WIDTH, low=0, high=3) > 0
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@pytest.fixture(scope="module", params=["nodata", "alpha", "mask"])
def holed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene with the same holes, said in each of three ways."""
    path = tmp_path_factory.mktemp("scene") / f"{request.param}.tif"
    if request.param == "nodata":
        make_raster(path, PIXELS * VALID, **UTM, nodata=0)
    elif request.param == "mask":
        make_raster(path, PIXELS, **UTM, mask=VALID)
    else:
        colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        make_raster(path, np.concatenate([PIXELS, 255 * VALID[np.newaxis]]).astype(np.uint8), **UTM, colours=colours)
    with Scene.open(path) as scene:
        yield scene


@relaxed
@given(window=windows_around(HEIGHT, WIDTH), bands=st.lists(st.integers(0, 2), min_size=1, max_size=4, unique=False))
def test_a_window_is_a_slice_of_the_padded_whole(holed: Scene, window: Window, bands: list[int]) -> None:
    raster = holed.read(window, bands)
    assert np.array_equal(raster.values, padded((PIXELS * VALID)[bands], window))
    assert np.array_equal(raster.valid, padded(VALID, window))
    assert raster.grid == holed.grid.crop(window)


@relaxed
@given(pieces=partitions(HEIGHT, WIDTH))
def test_any_tiling_gives_what_reading_at_once_gives(holed: Scene, pieces: list[Window]) -> None:
    whole = holed.read(holed.grid.window)
    values, valid = np.empty_like(whole.values), np.empty_like(whole.valid)
    for piece in pieces:
        part = holed.read(piece)
        rows, cols = piece.slices()
        values[:, rows, cols], valid[rows, cols] = part.values, part.valid
    assert np.array_equal(values, whole.values)
    assert np.array_equal(valid, whole.valid)


@relaxed
@given(window=windows_around(HEIGHT, WIDTH), factor=st.integers(2, 4))
def test_enlarged_labels_are_the_same_labels_side_by_side(holed: Scene, window: Window, factor: int) -> None:
    shape = window.height * factor, window.width * factor
    large, small = holed.read(window, shape=shape, nearest=True), holed.read(window)
    assert np.array_equal(large.values, small.values.repeat(factor, axis=1).repeat(factor, axis=2))
    assert np.array_equal(large.valid, small.valid.repeat(factor, axis=0).repeat(factor, axis=1))


@relaxed
@given(window=windows_around(HEIGHT, WIDTH), height=st.integers(1, 60), width=st.integers(1, 60))
def test_resampled_pixels_are_valid_only_over_valid_ones(holed: Scene, window: Window, height: int, width: int) -> None:
    raster = holed.read(window, shape=(height, width))
    assert raster.grid.shape == (height, width)
    assert (raster.values[:, ~raster.valid] == 0).all()
    rows = window.row + (np.arange(height) + 0.5) * window.height / height
    cols = window.col + (np.arange(width) + 0.5) * window.width / width
    beyond = (rows[:, None] < 0) | (rows[:, None] > HEIGHT) | (cols < 0) | (cols > WIDTH)
    assert not raster.valid[beyond].any()


@pytest.fixture(scope="module")
def slope(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Two bands that hold the row and the column of each pixel's centre."""
    values = np.stack(np.indices((HEIGHT, WIDTH))).astype(np.float32) + 0.5
    with Scene.open(make_raster(tmp_path_factory.mktemp("slope") / "slope.tif", values, **UTM)) as scene:
        yield scene


@relaxed
@given(window=windows_around(HEIGHT, WIDTH, reach=20), height=st.integers(1, 70), width=st.integers(1, 70))
def test_resampled_pixels_lie_where_they_belong(slope: Scene, window: Window, height: int, width: int) -> None:
    raster = slope.read(window, shape=(height, width))
    rows, cols = np.indices((height, width)) + 0.5
    expected = np.stack([window.row + rows * window.height / height, window.col + cols * window.width / width])
    # At the scene's edge a pixel is the mean of the half that lies inside; and nearest, half a pixel off, where one
    # axis is enlarged while the other is reduced (average does not interpolate, and bilinear, widened to reduce one
    # axis, leans inwards where the edge cuts it off).
    slack = np.maximum(0.51, [0.35 * window.height / height, 0.35 * window.width / width])
    off = np.abs(raster.values - expected)[:, raster.valid]
    assert (off <= slack[:, np.newaxis]).all()


@relaxed
@given(row=st.integers(-5, 20), col=st.integers(-5, 30), size=st.integers(1, 8), factor=st.integers(2, 5))
def test_reducing_is_averaging(slope: Scene, row: int, col: int, size: int, factor: int) -> None:
    window = Window(row * factor, col * factor, size * factor, size * factor)
    inside = slope.grid.window.contains(window)
    if inside:
        means = slope.read(window).values.reshape(2, size, factor, size, factor).mean(axis=(2, 4))
        np.testing.assert_allclose(slope.read(window, shape=(size, size)).values, means, rtol=1e-5)


def test_a_pixel_is_nodata_only_if_all_chosen_bands_are(tmp_path: Path) -> None:
    values = np.array([[[0, 0, 5]], [[0, 7, 5]]], np.uint8)
    with Scene.open(make_raster(tmp_path / "a.tif", values, **UTM, nodata=0)) as scene:
        assert scene.read(scene.grid.window).valid.tolist() == [[False, True, True]]
        assert scene.read(scene.grid.window, [0]).valid.tolist() == [[False, False, True]]


@pytest.mark.parametrize("nodata", [None, np.nan, -9999])
def test_no_nan_comes_out(tmp_path: Path, nodata: float | None) -> None:
    values = np.ones((2, 16, 16), np.float32)
    values[0, 3, 4], values[1, 5, 6], values[0, 7, 7] = np.nan, np.inf, -np.inf
    with Scene.open(make_raster(tmp_path / "a.tif", values, **UTM, nodata=nodata)) as scene:
        raster = scene.read(scene.grid.window)
        assert [tuple(place) for place in np.argwhere(~raster.valid)] == [(3, 4), (5, 6), (7, 7)]
        for shape in (None, (5, 5), (40, 40)):
            raster = scene.read(scene.grid.window, shape=shape)
            assert np.isfinite(raster.values).all()


def test_a_scene_of_nothing_reads_as_nothing(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", np.zeros((3, 9, 9), np.uint8), **UTM, nodata=0)) as scene:
        assert not scene.read(scene.grid.window.pad(2)).valid.any()


def test_windows_beyond_the_scene_and_empty_ones_are_answered(holed: Scene) -> None:
    assert not holed.read(Window(1000, 1000, 4, 4)).valid.any()
    assert holed.read(Window(0, 0, 0, 5)).values.shape == (3, 0, 5)
    assert not holed.read(Window(-9, -9, 8, 8), shape=(3, 3)).valid.any()


def test_threads_read_what_one_thread_reads(holed: Scene) -> None:
    pieces = [Window(row, col, 11, 13) for row in range(-5, HEIGHT, 7) for col in range(-5, WIDTH, 9)] * 4
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(holed.read, pieces))
    for piece, raster in zip(pieces, together, strict=True):
        assert np.array_equal(raster.values, padded(PIXELS * VALID, piece))


def test_a_band_that_is_not_there_is_an_error(holed: Scene) -> None:
    with pytest.raises(SceneError, match="no band at position 3"):
        holed.read(holed.grid.window, [0, 3])


def test_a_closed_scene_says_so(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", noise(1, 8, 8), **UTM)) as scene:
        scene.read(scene.grid.window)
    with pytest.raises(SceneError, match="has been closed"):
        scene.read(scene.grid.window)
