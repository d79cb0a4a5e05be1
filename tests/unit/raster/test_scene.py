"""Scenes: metadata of ordinary and unusual files; reading of windows inside and outside, by any thread."""

import base64
import io
import pickle
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.rasters import UTM, make_raster, noise, padded
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from strategies import partitions, windows_around

from geoseg.errors import SceneError
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.raster.scene import Scene

RGB = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]


def opened(path: Path, **options: bool) -> Scene:
    with Scene.open(path, **options) as scene:
        return scene


def test_a_plain_scene_has_nothing_to_remark(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "town.tif", noise(3, 40, 50), **UTM, photometric="RGB"))
    assert (scene.name, scene.bands, scene.dtype) == ("town", ("red", "green", "blue"), np.uint8)
    assert scene.grid.shape == (40, 50)
    assert scene.grid.crs == CRS("EPSG:32633")
    assert scene.grid.transform == UTM["transform"]
    assert (scene.validity, scene.nodata, scene.legend, scene.gcps, scene.notes) == (
        "every pixel",
        None,
        None,
        None,
        (),
    )


def test_blocks_are_those_of_the_file(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 90, 80), **UTM, tiled=True, blockxsize=32, blockysize=16)
    assert opened(path).block_shape == (16, 32)


def test_band_names_are_descriptions_then_colours_then_numbers_and_never_twice(tmp_path: Path) -> None:
    colours = [ColorInterp.red, ColorInterp.red, ColorInterp.nir, ColorInterp.undefined]
    path = make_raster(tmp_path / "a.tif", noise(4, 8, 8), **UTM, colours=colours)
    with rasterio.open(path, "r+") as file:
        file.set_band_description(1, "edge")
    assert opened(path).bands == ("edge", "red", "nir", "band_4")
    twice = make_raster(tmp_path / "b.tif", noise(3, 8, 8), **UTM, colours=[ColorInterp.red] * 3)
    assert opened(twice).bands == ("red", "red_2", "red_3")


def test_bands_are_found_by_name(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(3, 8, 8), **UTM, photometric="RGB"))
    assert scene.band_positions(["blue", "red"]) == [2, 0]
    with pytest.raises(SceneError, match="no band 'gren'") as caught:
        scene.band_positions(["gren"])
    assert caught.value.hint == "did you mean green?"


def test_alpha_is_validity_and_no_band(tmp_path: Path) -> None:
    alpha = np.where(np.arange(20) < 9, 255, 0) * np.ones((1, 20, 1))
    path = make_raster(
        tmp_path / "a.tif",
        np.concatenate([noise(3, 20, 20), alpha]).astype(np.uint8),
        **UTM,
        colours=[*RGB, ColorInterp.alpha],
    )
    scene = opened(path)
    assert (scene.bands, scene.validity, scene.notes) == (("red", "green", "blue"), "alpha band", ())


def test_near_infrared_marked_as_alpha_is_a_band(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(4, 20, 20), **UTM, colours=[*RGB, ColorInterp.alpha])
    scene = opened(path)
    assert (scene.bands[3], scene.validity) == ("band_4", "every pixel")
    assert "marked as alpha but contains an image" in scene.notes[0]


def test_the_user_may_decide_what_alpha_is(tmp_path: Path) -> None:
    image = make_raster(tmp_path / "a.tif", noise(4, 20, 20), **UTM, colours=[*RGB, ColorInterp.alpha])
    assert opened(image, alpha=True).validity == "alpha band"
    full = np.concatenate([noise(3, 20, 20), np.full((1, 20, 20), 255, np.uint8)])
    real = make_raster(tmp_path / "b.tif", full, **UTM, colours=[*RGB, ColorInterp.alpha])
    assert opened(real, alpha=False).bands == ("red", "green", "blue", "band_4")


def test_a_mask_in_the_file_is_validity(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 20, 20), **UTM, mask=np.eye(20, dtype=bool))
    assert opened(path).validity == "internal mask"


@pytest.mark.parametrize(("nodata", "words"), [(0, "nodata 0"), (-9999, "nodata -9999"), (np.nan, "nodata nan")])
def test_nodata_is_validity(tmp_path: Path, nodata: float, words: str) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8, dtype=np.float32), **UTM, nodata=nodata)
    assert opened(path).validity == words


def test_without_crs_the_note_says_what_is_missing(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), transform=Affine(2, 0, 5, 0, -2, 9)))
    assert scene.grid.crs is None
    assert scene.grid.transform == Affine(2, 0, 5, 0, -2, 9)
    assert scene.notes[0].startswith("no CRS")


def test_ground_control_points_are_carried_and_the_grid_is_in_pixels(tmp_path: Path) -> None:
    points = [GroundControlPoint(0, 0, 15, 50), GroundControlPoint(0, 8, 16, 50), GroundControlPoint(8, 0, 15, 49)]
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), gcps=points, crs="EPSG:4326"))
    assert scene.grid.crs is None
    assert scene.grid.transform == Affine.identity()
    assert scene.gcps is not None
    assert [(p.row, p.col, p.x, p.y) for p in scene.gcps[0]] == [(p.row, p.col, p.x, p.y) for p in points]
    assert scene.gcps[1] == CRS("EPSG:4326")
    assert "3 ground control points only" in scene.notes[0]
    assert "gdalwarp" in scene.notes[0]


def test_rational_polynomials_are_noted(tmp_path: Path) -> None:
    numbers = dict.fromkeys(("height_off", "lat_off", "line_off", "long_off", "samp_off"), 0.0)
    scales = dict.fromkeys(("height_scale", "lat_scale", "line_scale", "long_scale", "samp_scale"), 1.0)
    lists = {f"{name}_coeff": [1.0] * 20 for name in ("line_den", "line_num", "samp_den", "samp_num")}
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), rpcs=RPC(**numbers, **scales, **lists)))
    assert any("gdalwarp -rpc" in note for note in scene.notes)


def test_a_palette_is_noted_and_stays_one_band(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8), **UTM, photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (255, 0, 0, 255)})
    scene = opened(path)
    assert scene.bands == ("band_1",)
    assert "palette" in scene.notes[0]


def test_a_crs_without_a_transform_places_nothing(tmp_path: Path) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 8), crs="EPSG:32633"))
    assert scene.grid.crs is None
    assert "no transform" in scene.notes[0]


@pytest.mark.parametrize(
    ("transform", "impossible"),
    [
        (Affine(0.1, 0, 500, 0, -0.1, 50), True),
        (Affine(0.1, 0, 10, 0, -0.1, 900), True),
        (Affine(9, 0, 0, 0, -22.5, 90), False),
        (Affine(9, 0, -184.5, 0, -22.5, 101.25), False),  # pixels centered on the poles
    ],
)
def test_coordinates_that_no_place_has_are_said(tmp_path: Path, transform: Affine, impossible: bool) -> None:
    scene = opened(make_raster(tmp_path / "a.tif", noise(1, 8, 40), crs="EPSG:4326", transform=transform))
    said = "the coordinates are impossible in EPSG:4326: check the CRS and the transform"
    assert (said in scene.notes) == impossible


def test_pixels_without_a_size_are_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8), crs="EPSG:32633", transform=Affine(0, 0, 5, 0, 0, 6))
    with pytest.raises(SceneError, match="is singular"):
        opened(path)


def test_the_legend_is_read_from_our_tag_and_a_broken_one_is_noted(tmp_path: Path) -> None:
    legend = Legend.of({"ground": "#ffffff", "Häuser": "#ff0000"})
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8), **UTM)
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=legend.to_json(), ORIGIN="test")
    scene = opened(path)
    assert (scene.legend, scene.tags["ORIGIN"]) == (legend, "test")
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES='[{"name": 1}]')
    assert opened(path).legend is None
    assert "GEOSEG_CLASSES" in opened(path).notes[0]


@pytest.mark.parametrize("driver", ["PNG", "JPEG"])
def test_pictures_without_georeference_are_scenes(tmp_path: Path, driver: str) -> None:
    scene = opened(make_raster(tmp_path / f"a.{driver.lower()}", noise(3, 20, 30), driver=driver))
    assert scene.bands == ("red", "green", "blue")
    assert scene.grid.crs is None


def test_bands_of_different_types_share_the_wider_one(tmp_path: Path) -> None:
    low = make_raster(tmp_path / "low.tif", noise(1, 8, 8), **UTM)
    high = make_raster(tmp_path / "high.tif", noise(1, 8, 8, dtype=np.uint16, high=4000), **UTM)
    rows = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{n}"><SimpleSource><SourceFilename>{file}</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for n, (kind, file) in enumerate([("Byte", low), ("UInt16", high)], start=1)
    )
    mixed = tmp_path / "mixed.vrt"
    mixed.write_text(f'<VRTDataset rasterXSize="8" rasterYSize="8">{rows}</VRTDataset>')
    with Scene.open(mixed) as scene:
        assert scene.dtype == np.uint16
        expected = np.concatenate([noise(1, 8, 8), noise(1, 8, 8, dtype=np.uint16, high=4000)])
        assert np.array_equal(scene.read(scene.grid.window).values, expected)


def test_a_scene_can_be_sent_to_another_process(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", noise(2, 8, 9), **UTM)) as scene:
        twin = pickle.loads(pickle.dumps(scene))
        assert np.array_equal(twin.read(twin.grid.window).values, scene.read(scene.grid.window).values)
        twin.close()


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
@example(window=Window(-1, 0, 43, 30), height=28, width=15)  # columns are halved, rows are covered in part
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


def test_scale_and_offset_tags_are_not_applied_and_that_is_said(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(2, 8, 8), **UTM)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (0.5, 0.5), (10, 10)
    with Scene.open(path) as scene:
        assert np.array_equal(scene.read(scene.grid.window).values, noise(2, 8, 8))
        assert scene.notes == ("the scale and offset tags (0.5 and 10) are not applied: values are used as stored",)


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


def test_an_overview_holds_the_whole_scene(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", noise(3, 90, 300), **UTM)) as scene:
        assert scene.read_overview(longest=100).grid.shape == (30, 100)
        assert scene.read_overview().grid == scene.grid


def test_the_repr_shows_size_bands_crs_and_gsd(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "town.tif", noise(3, 40, 50), **UTM, photometric="RGB")
    with Scene.open(path) as scene:
        assert repr(scene).splitlines() == [
            f"Scene {str(path)!r}",
            "  size: 40 rows x 50 columns",
            "  bands: red, green, blue (uint8)",
            "  CRS: EPSG:32633",
            "  GSD: 0.5 m",
            "  valid: every pixel",
        ]


def test_notebooks_show_a_table_with_escaped_text_and_a_thumbnail(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a<b>&c.tif", noise(4, 400, 500, dtype=np.uint16), **UTM)
    with Scene.open(path) as scene:
        shown = scene._repr_html_()
    assert "a&lt;b&gt;&amp;c.tif" in shown
    assert "<b>" not in shown
    content = base64.b64decode(re.search(r'base64,([^"]+)"', shown)[1])
    with Image.open(io.BytesIO(content)) as thumbnail:
        assert thumbnail.size == (240, 192)
    assert "<img" not in scene._repr_html_(), "a closed scene has no thumbnail"
