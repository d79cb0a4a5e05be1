"""Validity by pixel: one nodata decision for all bands, in single pixels and in the weights of resampled ones."""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import pytest
import rasterio
from helpers.rasters import UTM, make_raster, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window as RasterioWindow

from geoseg.grid.window import Window
from geoseg.raster import read_window as read_window_module
from geoseg.raster.pixel_validity import has_data
from geoseg.raster.scene import Scene

SIDE = 24
relaxed = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_with(path: Path, shape: tuple[int, int] | None = None, window: Window | None = None, **options: bool):
    with Scene.open(path, **options) as scene:
        return scene.read(window or scene.grid.window, shape=shape)


def mean_of_valid(values: np.ndarray, valid: np.ndarray, factor: int) -> np.ndarray:
    """sum(value * valid) / sum(valid) over blocks, written out by hand; NaN over blocks without a valid pixel."""
    bands, height, width = values.shape
    blocks = (bands, height // factor, factor, width // factor, factor)
    sums = (values.astype(float) * valid).reshape(blocks).sum(axis=(2, 4))
    with np.errstate(invalid="ignore"):
        return sums / valid.reshape(blocks[1:]).sum(axis=(1, 3))


@pytest.mark.parametrize("shape", [(12, 12), (8, 8), (48, 48), (15, 17), (12, 48)])
def test_a_nodata_tag_changes_nothing_where_no_pixel_is_nodata(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = noise(3, SIDE, SIDE, low=0, high=3) * 20
    values[1] = np.maximum(values[1], 1)  # no pixel is 0 in all bands, but many are in one
    plain = read_with(make_raster(tmp_path / "plain.tif", values, **UTM), shape)
    tagged = read_with(make_raster(tmp_path / "tagged.tif", values, **UTM, nodata=0), shape)
    assert tagged.valid.all()
    assert np.abs(tagged.values.astype(int) - plain.values).max() <= (shape == (15, 17))  # ties may round either way


@relaxed
@given(
    seed=st.integers(0, 99), factor=st.sampled_from([2, 3, 4]), dtype=st.sampled_from(["uint8", "uint16", "float32"])
)
def test_a_reduced_pixel_is_the_mean_of_its_valid_pixels_in_every_band(
    tmp_path: Path, seed: int, factor: int, dtype: str
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (3, SIDE, SIDE)).astype(dtype) * 10
    values[:, rng.random((SIDE, SIDE)) < 0.4] = 0
    valid = (values != 0).any(axis=0)
    raster = read_with(make_raster(tmp_path / "a.tif", values, **UTM, nodata=0), (SIDE // factor,) * 2)
    expected = mean_of_valid(values, valid, factor)
    off = np.abs(raster.values - expected)[:, raster.valid]
    assert raster.valid.any()
    assert off.max(initial=0) <= (0.5 if dtype != "float32" else 1e-4)


def test_bands_of_a_vrt_have_their_own_nodata_values(tmp_path: Path) -> None:
    values = noise(3, SIDE, SIDE, low=4, high=200)
    values[:, :10, :10] = np.array([1, 2, 3])[:, None, None]
    values[0, 20, 20] = 1  # nodata in one band only: usable
    path = write_vrt_with_nodata(tmp_path, values, [1, 2, 3])
    with Scene.open(path) as scene:
        assert (scene.nodata, scene.validity) == (None, "nodata 1, 2, 3 by band")
        raster = scene.read(scene.grid.window)
        reduced = scene.read(scene.grid.window, shape=(12, 12))
        swapped = scene.read(scene.grid.window, [2, 0, 1])
    valid = np.ones((SIDE, SIDE), bool)
    valid[:10, :10] = False
    assert np.array_equal(raster.valid, valid)
    assert np.array_equal(swapped.valid, valid)
    assert np.array_equal(raster.values, values * valid)
    assert np.abs(reduced.values - mean_of_valid(values, valid, 2))[:, reduced.valid].max() <= 0.5


def test_bands_without_a_nodata_value_are_not_compared(tmp_path: Path) -> None:
    values = noise(3, SIDE, SIDE, low=4, high=200)
    values[0, :10] = 1
    raster = read_with(write_vrt_with_nodata(tmp_path, values, [1, None, None]))
    assert raster.valid.sum() == SIDE * (SIDE - 10)


def write_vrt_with_nodata(folder: Path, values: np.ndarray, nodata: list[int | None]) -> Path:
    make_raster(folder / "source.tif", values, **UTM)
    root = Element("VRTDataset", rasterXSize=str(values.shape[2]), rasterYSize=str(values.shape[1]))
    for number, value in enumerate(nodata, start=1):
        band = SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        if value is not None:
            SubElement(band, "NoDataValue").text = str(value)
        source = SubElement(band, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="1").text = "source.tif"
        SubElement(source, "SourceBand").text = str(number)
    path = folder / "scene.vrt"
    path.write_bytes(tostring(root))
    return path


def test_pixels_excluded_by_alpha_have_no_weight_beside_a_nodata_tag(tmp_path: Path) -> None:
    values = noise(4, SIDE, SIDE, low=1, high=200)
    values[3] = 255
    values[3, :, ::3] = 0
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    raster = read_with(make_raster(tmp_path / "a.tif", values, **UTM, nodata=0, colours=colours), (12, 12), alpha=True)
    expected = mean_of_valid(values[:3], values[3] != 0, 2)
    assert np.abs(raster.values - expected)[:, raster.valid].max() <= 0.5


def test_near_infrared_marked_as_alpha_is_no_weight_of_the_other_bands(tmp_path: Path) -> None:
    values = noise(4, SIDE, SIDE)
    values[3, ::2] = 0  # water is black in near infrared
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    raster = read_with(make_raster(tmp_path / "a.tif", values, **UTM, colours=colours), (12, 12), alpha=False)
    expected = mean_of_valid(values, np.ones((SIDE, SIDE), bool), 2)
    assert raster.valid.all()
    assert np.abs(raster.values - expected).max() <= 0.5


def test_pixels_that_are_not_finite_do_not_spread(tmp_path: Path) -> None:
    values = noise(2, SIDE, SIDE).astype(np.float32)
    values[0, ::2, ::2] = np.nan
    finite = np.isfinite(values).all(axis=0)
    raster = read_with(make_raster(tmp_path / "a.tif", values, **UTM), (12, 12))
    expected = mean_of_valid(np.nan_to_num(values), finite, 2)
    assert raster.valid.any()
    np.testing.assert_allclose(raster.values[:, raster.valid], expected[:, raster.valid], rtol=1e-5)


def test_large_windows_are_resampled_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = noise(3, SIDE, SIDE, low=0, high=3)
    path = make_raster(tmp_path / "a.tif", values, **UTM, nodata=0)
    whole = {shape: read_with(path, shape) for shape in [(12, 12), (48, 48)]}
    monkeypatch.setattr(read_window_module, "MAX_EXACT_PIXELS", SIDE * 5)
    for shape, expected in whole.items():
        assert np.array_equal(read_with(path, shape).values, expected.values)


def test_rows_are_weighted_where_columns_are_halved(tmp_path: Path) -> None:
    """GDAL 3.10 takes the plain mean of 2 x 2 pixels there, also of rows that are covered in part."""
    rows = np.repeat(np.arange(41, dtype=np.float32)[:, None], 30, axis=1)[None]
    path = make_raster(tmp_path / "a.tif", rows, **UTM)
    values = read_with(path, (27, 15), Window(0, 0, 41, 30)).values[0, :, 5]
    edges = np.linspace(0, 41, 28)
    covered = np.clip(np.minimum(edges[1:, None], np.arange(1, 42)) - np.maximum(edges[:-1, None], np.arange(41)), 0, 1)
    np.testing.assert_allclose(values, covered @ np.arange(41) / covered.sum(axis=1), atol=1e-3)


@pytest.mark.parametrize("shape", [(12, 12), (30, 40), (7, 9)])
def test_ordinary_scenes_are_resampled_by_gdal_alone(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, SIDE, SIDE), **UTM)
    method = Resampling.average if shape[0] < SIDE else Resampling.bilinear
    with rasterio.open(path) as dataset:
        expected = dataset.read(out_shape=(3, *shape), window=RasterioWindow(0, 0, SIDE, SIDE), resampling=method)
    assert np.array_equal(read_with(path, shape).values, expected)


@pytest.mark.parametrize("nodata", [300, -1, 0.5, float("nan")])
def test_a_nodata_value_that_bytes_cannot_hold_excludes_nothing(nodata: float) -> None:
    assert has_data(noise(2, 5, 5), [nodata, nodata]).all()
