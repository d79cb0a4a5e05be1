"""rasterio itself reads the same pixels from every real raster, inside the scene and across its edges."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.windows import Window as RasterioWindow

from geoseg.grid.window import Window
from geoseg.raster.scene import Scene

RASTERS = (
    "rasterio_tests/RGB.byte.tif",
    "rasterio_tests/RGBA.uint16.tif",
    "rasterio_tests/all-nodata.tif",
    "rasterio_tests/alpha.tif",
    "rasterio_tests/cogeo.tif",
    "rasterio_tests/float_nan.tif",
    "rasterio_tests/rotated.tif",
    "odc_geo/au-3577-rotated.tif",
    "odc_geo/au-gcp.tif",
    "rio_cogeo/image_51px.tif",
    "rio_tiler/cog_rgb_mask.tif",
    "rio_tiler/inverted_lat.tif",
    "naip_stactools/m_4208701_ne_16_060_20200902.tif",
    "naip_stactools/m_3610332_se_13_060_20200903-downsampled.tif",
    "labels_spdatalarge/raster/nlcd.tif",
    "nrcan_gdl/tests/data/new_brunswick_aerial/23322E759967N_clipped_1m_1of2.tif",
    "derived_scenes/oam_B_z21.tif",
    "dubai_hitl/Tile 1/images/image_part_001.jpg",
    "dubai_hitl/Tile 4/masks/image_part_001.png",
)


def rasterio_read(path: Path, window: Window, *, boundless: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Values (band, row, col) and GDAL's own dataset mask > 0 (row, col)."""
    area = RasterioWindow(window.col, window.row, window.width, window.height)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rasterio 1.4 reads beyond the edge with affine's old multiplication
        with rasterio.open(path) as file:
            values = file.read(window=area, boundless=boundless, fill_value=0 if boundless else None)
            return values, file.dataset_mask(window=area, boundless=boundless) > 0


def inside_windows(scene: Scene) -> list[Window]:
    height, width = scene.grid.shape
    return [
        scene.grid.window,
        Window(height // 3, width // 4, max(height // 2, 1), max(width // 2, 1)),
        Window(height - 1, width - 1, 1, 1),
    ]


@pytest.mark.parametrize("name", RASTERS)
def test_windows_are_the_same_bit_for_bit(shared_data: Path, name: str) -> None:
    with Scene.open(shared_data / name) as scene:
        for window in inside_windows(scene):
            raster = scene.read(window)
            values, valid = rasterio_read(shared_data / name, window)
            values = values[: len(scene.bands)]
            assert np.array_equal(raster.values[:, raster.valid], values[:, raster.valid])
            if len(scene.bands) < 4:  # GDAL believes that near infrared is alpha ...
                assert np.array_equal(
                    raster.valid, valid & np.isfinite(values).all(axis=0)
                )  # ... and that NaN is usable


# rasterio 1.4 shifts what it reads beyond the edges of rotated rasters; inside, the test above holds for them too.
@pytest.mark.parametrize("name", [name for name in RASTERS if "rotated" not in name])
def test_windows_across_the_edge_are_the_same_as_boundless_reading(shared_data: Path, name: str) -> None:
    with Scene.open(shared_data / name) as scene:
        height, width = scene.grid.shape
        for window in (Window(-5, -7, 30, 40), Window(height - 11, width - 13, 30, 40), scene.grid.window.pad(3)):
            raster = scene.read(window)
            values, _ = rasterio_read(shared_data / name, window, boundless=True)
            assert np.array_equal(raster.values[:, raster.valid], values[: len(scene.bands), raster.valid])


MASKED_BY_BAND = ("RGB.byte.tif", "float_nan.tif", "au-3577-rotated.tif")
"""Rasters with nodata 0 in single bands, or with NaN, which GDAL spreads unless it is declared."""


def gdal_resample(path: Path, shape: tuple[int, int], bands: int, resampling: Resampling) -> np.ndarray:
    """Resample with GDAL. Where GDAL masks each band apart, the validity of whole pixels is made the only mask first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            values = file.read(list(range(1, bands + 1)))
            if path.name not in MASKED_BY_BAND:
                return file.read(list(range(1, bands + 1)), out_shape=(bands, *shape), resampling=resampling)
            valid = np.isfinite(values).all(axis=0)
            if file.nodata is not None and np.isfinite(file.nodata):
                valid &= (values != file.nodata).any(axis=0)
        profile = {"count": bands, "height": valid.shape[0], "width": valid.shape[1], "dtype": values.dtype}
        with MemoryFile() as memory, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
            with memory.open(driver="GTiff", **profile) as copy:
                copy.write(np.where(valid, values, 0).astype(values.dtype))
                copy.write_mask(valid)
            with memory.open() as copy:
                return copy.read(out_shape=(bands, *shape), resampling=resampling)


# GDAL halves rotated.tif by the plain mean of 2 x 2 pixels, although its 15 rows become 8: see the test after this one.
@pytest.mark.parametrize(
    ("name", "factor"),
    [
        (name, factor)
        for name in RASTERS
        for factor in (0.5, 1.5)
        if (name, factor) != ("rasterio_tests/rotated.tif", 0.5)
    ],
)
def test_resampling_inside_is_gdals(shared_data: Path, name: str, factor: float) -> None:
    with Scene.open(shared_data / name) as scene:
        shape = scene.grid.resample(factor).shape
        if shape == scene.grid.shape:
            pytest.skip("too small")
        raster = scene.read(scene.grid.window, shape=shape)
        resampling = Resampling.average if factor < 1 else Resampling.bilinear
        values = gdal_resample(shared_data / name, shape, len(scene.bands), resampling)
    assert np.array_equal(raster.values[:, raster.valid], values[:, raster.valid])


def area_weights(size: int, output: int) -> np.ndarray:
    """The part of each pixel that each output pixel covers, axes (output, pixel)."""
    edges = np.arange(output + 1) * size / output
    pixels = np.arange(size)
    return np.clip(np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0, 1)


def test_columns_that_are_halved_and_rows_that_are_not_have_the_mean_of_their_area(shared_data: Path) -> None:
    with Scene.open(shared_data / "rasterio_tests/rotated.tif") as scene:
        full, raster = scene.read(scene.grid.window), scene.read(scene.grid.window, shape=(8, 5))
    rows, cols = area_weights(15, 8), area_weights(10, 5)
    mean = rows @ full.values[0].astype(float) @ cols.T / np.outer(rows.sum(axis=1), cols.sum(axis=1))
    assert np.abs(raster.values[0] - mean).max() <= 0.5


def test_every_real_raster_opens_and_reads(shared_data: Path) -> None:
    files = [file for file in shared_data.rglob("*") if file.suffix in (".tif", ".png", ".jpg")]
    for file in files:
        with Scene.open(file) as scene:
            raster = scene.read(scene.grid.window.pad(2), shape=(50, 60))
            assert raster.values.shape == (len(scene.bands), 50, 60)
            assert np.isfinite(raster.values).all()
    assert len(files) > 50
