"""rasterio itself reads the same pixels from every real raster, inside the scene and across its edges."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
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


@pytest.mark.parametrize("name", RASTERS)
@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_resampling_inside_is_gdals(shared_data: Path, name: str, factor: float) -> None:
    with Scene.open(shared_data / name) as scene:
        shape = scene.grid.resample(factor).shape
        if shape == scene.grid.shape:
            pytest.skip("too small")
        raster = scene.read(scene.grid.window, shape=shape)
        resampling = Resampling.average if factor < 1 else Resampling.bilinear
        area = RasterioWindow(0, 0, scene.grid.width, scene.grid.height)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(shared_data / name) as file:
                bands = list(range(1, len(scene.bands) + 1))
                values = file.read(bands, window=area, out_shape=(len(bands), *shape), resampling=resampling)
    assert np.array_equal(raster.values[:, raster.valid], values[:, raster.valid])


def test_every_real_raster_opens_and_reads(shared_data: Path) -> None:
    files = [file for file in shared_data.rglob("*") if file.suffix in (".tif", ".png", ".jpg")]
    for file in files:
        with Scene.open(file) as scene:
            raster = scene.read(scene.grid.window.pad(2), shape=(50, 60))
            assert raster.values.shape == (len(scene.bands), 50, 60)
            assert np.isfinite(raster.values).all()
    assert len(files) > 50
