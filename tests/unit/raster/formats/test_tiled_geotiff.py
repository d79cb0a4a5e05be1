"""Compressed rasters: cut like mapped ones, window by window, in any process."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.prepared import striped, write_compressed, write_contiguous
from helpers.rasters import noise
from hypothesis import given
from hypothesis import strategies as st

from geoseg.data.preparation.convert_scene import STRIP_ROWS
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.raster.formats.memmap_geotiff import open_memmap
from geoseg.raster.formats.tiled_geotiff import BLOCK_SIZE, CompressedPixels, create_compressed

HEIGHT, WIDTH = 70, 90
edges = st.one_of(st.none(), st.integers(-120, 120))
slices = st.builds(slice, edges, edges)


@pytest.fixture(scope="module", params=[("u1", 3), ("u1", 4), ("u2", 2), ("f4", 1), ("i2", 5)], ids=str)
def pair(request, tmp_path_factory):
    """The same pixels in one run of bytes and compressed."""
    dtype, bands = request.param
    folder, values = tmp_path_factory.mktemp("pixels"), noise(bands, HEIGHT, WIDTH, dtype=dtype)
    mapped = open_memmap(write_contiguous(folder / "a.tif", values))
    return mapped, CompressedPixels(write_compressed(folder / "b.tif", values))


@given(rows=slices, cols=slices)
def test_every_cut_is_the_cut_of_the_mapped_pixels(pair, rows, cols) -> None:
    mapped, compressed = pair
    assert np.array_equal(compressed[rows, cols], mapped[rows, cols])


def test_shape_and_type_are_those_of_the_mapped_pixels(pair) -> None:
    mapped, compressed = pair
    assert compressed.shape == mapped.shape
    assert compressed.dtype == mapped.dtype


@given(rows=slices, cols=slices)
def test_a_single_band_is_cut_as_rows_and_columns(pair, rows, cols) -> None:
    mapped, compressed = pair
    last = mapped.shape[2] - 1
    band = CompressedPixels(compressed.path, band=last)
    assert band.shape == mapped.shape[:2]
    assert np.array_equal(band[rows, cols], mapped[..., last][rows, cols])


def test_what_is_sent_to_another_process_is_the_name_of_the_file(pair) -> None:
    _, compressed = pair
    compressed[:3, :3]
    sent = pickle.dumps(compressed)
    assert len(sent) < 400
    assert np.array_equal(pickle.loads(sent)[:9, :9], compressed[:9, :9])


def test_threads_cut_the_same_pixels(pair) -> None:
    mapped, compressed = pair
    rows = [slice(n % 60, n % 60 + 9) for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda part: compressed[part, 5:50], rows))
    assert all(np.array_equal(cut, mapped[part, 5:50]) for part, cut in zip(rows, found, strict=True))


def test_masks_become_small_and_are_stored_in_blocks(tmp_path) -> None:
    mask = striped(1100, 1100, side=100)[None]
    grid = Grid(None, Affine(1, 0, 0, 0, -1, 9), 1100, 1100)
    with create_compressed(tmp_path / "a.tif", grid, bands=1, dtype="u1") as file:
        for strip in strips(1100, 1100, BLOCK_SIZE):
            file.write(strip, mask[:, *strip.slices()])
    with rasterio.open(tmp_path / "a.tif") as opened:
        assert opened.block_shapes == [(BLOCK_SIZE, BLOCK_SIZE)]
        assert np.array_equal(opened.read(), mask)
    assert (tmp_path / "a.tif").stat().st_size < mask.size / 50


def test_strips_of_a_conversion_are_whole_blocks_high() -> None:
    assert STRIP_ROWS % BLOCK_SIZE == 0  # GDAL writes a block again for every strip, and lets the file grow


def test_nothing_is_left_behind_and_nothing_half_written_is_seen(tmp_path) -> None:
    def stopped() -> None:
        with create_compressed(tmp_path / "a.tif", Grid(None, Affine(1, 0, 0, 0, -1, 9), 9, 9), bands=1, dtype="u1"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped()
    assert list(tmp_path.iterdir()) == []
