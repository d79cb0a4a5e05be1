"""Contiguous GeoTIFFs: mapped pixels are the pixels any program reads."""

import contextlib
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.prepared import write_compressed, write_contiguous
from helpers.rasters import UTM, make_raster, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geoseg.errors import DataError, OutputError
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.raster.formats import memmap_geotiff as contiguous
from geoseg.raster.formats.memmap_geotiff import create_contiguous, open_memmap
from geoseg.raster.formats.tiled_geotiff import CompressedPixels, create_compressed
from geoseg.raster.scene import Scene

types = st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.float64])
shapes = st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40))
pixels = types.flatmap(lambda dtype: hnp.arrays(dtype, shapes, elements=st.integers(0, 255)))
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(values=pixels, rows=st.integers(1, 40))
def test_mapped_pixels_are_those_that_rasterio_reads(tmp_path, values, rows) -> None:
    bands, height, width = values.shape
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "a.tif"  # replacing files makes disks wait
    grid = Grid(None, Affine(0.5, 0, 10, 0, -0.5, 20), height, width)
    with create_contiguous(path, grid, bands=bands, dtype=values.dtype) as file:
        for strip in strips(height, width, rows):
            file.write(strip, values[:, *strip.slices()])
    mapped = open_memmap(path)
    with rasterio.open(path) as opened:
        assert np.array_equal(opened.read(), values)
    assert mapped.dtype == values.dtype
    assert np.array_equal(mapped.transpose(2, 0, 1), values)


def test_a_large_image_of_many_strips_is_one_run_of_bytes(tmp_path) -> None:
    values = noise(3, 700, 900)
    assert np.array_equal(open_memmap(write_contiguous(tmp_path / "a.tif", values)).transpose(2, 0, 1), values)


def test_the_file_lies_where_its_grid_lies(tmp_path) -> None:
    with Scene.open(write_contiguous(tmp_path / "a.tif", noise(2, 9, 11))) as scene:
        assert scene.grid.crs.to_epsg() == 32633
        assert tuple(scene.grid.transform)[:6] == tuple(UTM["transform"])[:6]


def test_images_without_a_place_are_no_reason_for_warnings(tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = write_contiguous(tmp_path / "a.tif", noise(3, 9, 11), Grid(None, Affine.identity(), 9, 11))
        assert open_memmap(path).shape == (9, 11, 3)


def test_mapped_pixels_cannot_be_changed(tmp_path) -> None:
    mapped = open_memmap(write_contiguous(tmp_path / "a.tif", noise(1, 4, 4)))
    with pytest.raises(ValueError, match="read-only"):
        mapped[0, 0, 0] = 1


def test_a_file_that_was_not_finished_does_not_exist(tmp_path) -> None:
    grid = Grid(None, Affine(1, 0, 0, 0, -1, 9), 8, 8)
    writing = create_contiguous(tmp_path / "a.tif", grid, bands=1, dtype="u1")
    with contextlib.suppress(RuntimeError), writing:
        assert [path.name for path in tmp_path.iterdir()] == [".a.tif.part.tif"]
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_an_error_in_words(tmp_path) -> None:
    grid = Grid(None, Affine(1, 0, 0, 0, -1, 9), 8, 8)
    (tmp_path / "a.tif").mkdir()
    with (
        pytest.raises(OutputError, match=r"a\.tif cannot be written"),
        create_contiguous(tmp_path / "a.tif", grid, bands=1, dtype="u1"),
    ):
        pass


@pytest.mark.parametrize(
    "layout",
    [{"compress": "deflate"}, {"tiled": True, "blockxsize": 16, "blockysize": 16}, {"interleave": "band"}],
    ids=["compressed", "tiled", "by band"],
)
def test_a_file_laid_out_otherwise_is_refused(tmp_path, layout) -> None:
    path = make_raster(tmp_path / "a.tif", noise(2, 64, 64), **UTM, **{"interleave": "pixel"} | layout)
    with pytest.raises(DataError, match="are not contiguous"):
        open_memmap(path)


def test_a_file_that_is_cut_short_while_it_is_closed_is_not_kept(tmp_path, monkeypatch) -> None:
    def too_short(path):
        raise ValueError("mmap length is greater than file size")

    monkeypatch.setattr(contiguous, "open_memmap", too_short)
    with pytest.raises(OutputError, match="differs from the file written"):
        write_contiguous(tmp_path / "a.tif", noise(1, 8, 8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bands", [2, 4, 5])
@pytest.mark.parametrize("write", [write_contiguous, write_compressed])
def test_no_band_is_marked_as_alpha_however_even_it_is(tmp_path, write, bands) -> None:
    values = np.full((bands, 9, 11), 7, np.uint8)
    with Scene.open(write(tmp_path / "a.tif", values)) as scene:
        assert len(scene.bands) == bands
        assert np.array_equal(scene.read(scene.grid.window).values, values)


@pytest.mark.parametrize("short", [20, 400, 100_000, 400_000])
@pytest.mark.parametrize("write", [write_contiguous, write_compressed])
def test_what_the_disk_has_no_room_for_is_not_kept(tmp_path, write, short) -> None:
    resource = pytest.importorskip("resource")
    values = noise(3, 400, 400)
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (write(tmp_path / "a.tif", values).stat().st_size - short, hard))
    try:
        with pytest.raises(OutputError, match=r"b\.tif cannot be written"):
            write(tmp_path / "b.tif", values)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


@settings(relaxed, max_examples=20)
@given(
    strips_of_nothing=st.lists(st.booleans(), min_size=1, max_size=40),
    bands=st.integers(1, 4),
    width=st.sampled_from([3, 900]),
    rows=st.sampled_from([1, 7, 512]),
)
@pytest.mark.parametrize("write", [create_contiguous, create_compressed])
def test_rows_of_nothing_but_zeros_stay_where_they_are(tmp_path, write, strips_of_nothing, bands, width, rows) -> None:
    """GDAL keeps strips of zeros back until a file is closed; masks of a class 0 and borders of nodata are full of them."""
    nothing = np.repeat(strips_of_nothing, 9)
    values = np.where(nothing[None, :, None], 0, noise(bands, len(nothing), width, low=1)).astype(np.uint8)
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "a.tif"
    grid = Grid(None, Affine(1, 0, 0, 0, -1, 0), len(nothing), width)
    with write(path, grid, bands=bands, dtype="u1") as file:
        for strip in strips(*grid.shape, rows):
            file.write(strip, values[:, *strip.slices()])
    pixels = open_memmap(path) if write is create_contiguous else CompressedPixels(path)
    with rasterio.open(path) as opened:
        assert np.array_equal(opened.read(), values)
    assert np.array_equal(pixels[:, :].transpose(2, 0, 1), values)


def test_a_file_whose_rows_lie_in_disorder_is_refused(tmp_path) -> None:
    values = np.zeros((1, 300, 300), np.uint8)
    values[0, :30], values[0, 100:130] = 1, 2
    path = make_raster(tmp_path / "a.tif", values, **UTM)  # as GDAL writes it
    with pytest.raises(DataError, match="are not contiguous"):
        open_memmap(path)
