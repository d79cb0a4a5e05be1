"""Slabs: whatever order pixels come in, the same files; each whole or not there; what is not there is known."""

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.rasters import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import partitions

from geoseg.errors import SceneError
from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import Legend, make_numbered_legend
from geoseg.raster.open_raster import quiet_gdal
from geoseg.raster.output_bands import make_output
from geoseg.raster.writers import partial as module
from geoseg.raster.writers.base import open_writer
from geoseg.raster.writers.cog import CogWriter
from geoseg.raster.writers.partial import BLOCK_SIZE, PartialRasters

SHAPE = 1200, 70
LEGEND = Legend.of({"ground": None, "roof": None, "road": None})
PRODUCTS = [make_output(name, LEGEND) for name in ("mask", "probabilities")]
PIXELS = {"mask": noise(1, *SHAPE, high=3), "probabilities": noise(3, *SHAPE, high=255)}


def slabs_in(folder: Path, shape=SHAPE, *, settings=None) -> PartialRasters:
    """An empty folder of slabs."""
    made = PartialRasters(folder, shape, PRODUCTS)
    made.create(settings or {})
    return made


def part(window: Window):
    return {name: values[:, *window.slices()] for name, values in PIXELS.items()}


def files(slabs: PartialRasters) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in slabs.folder.iterdir() if path.suffix == ".tif"}


def read(path: Path):
    with quiet_gdal():
        return rasterio.open(path)


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    """The files of all pixels written at once."""
    slabs = slabs_in(tmp_path_factory.mktemp("slabs") / "whole")
    slabs.write(Window(0, 0, *SHAPE), PIXELS)
    return files(slabs)


def test_slabs_hold_the_pixels_of_their_rows(at_once, tmp_path):
    assert sorted(at_once) == [f"{name}-{row:09}.tif" for name in ("mask", "probabilities") for row in (0, 512, 1024)]
    for name, content in at_once.items():
        product, row = name.removesuffix(".tif").split("-")
        (tmp_path / name).write_bytes(content)
        with read(tmp_path / name) as file:
            np.testing.assert_array_equal(file.read(), PIXELS[product][:, int(row) : int(row) + BLOCK_SIZE])
            assert file.nodata == 255


@settings(max_examples=12)
@given(pieces=partitions(*SHAPE))
def test_any_pieces_in_any_order_make_the_same_files(tmp_path_factory, at_once, pieces):
    slabs = slabs_in(tmp_path_factory.mktemp("slabs") / "pieces")
    for piece in pieces:
        slabs.write(piece, part(piece))
    assert files(slabs) == at_once
    assert slabs.missing == []


@given(rows=st.lists(st.integers(1, SHAPE[0] - 1), max_size=4, unique=True), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_a_slab_appears_with_its_last_pixel_and_until_then_it_is_missing(tmp_path_factory, rows, seed):
    slabs = slabs_in(tmp_path_factory.mktemp("slabs") / "rows")
    pieces = [Window(a, 0, b - a, SHAPE[1]) for a, b in pairwise([0, *sorted(rows), SHAPE[0]])]
    random.Random(seed).shuffle(pieces)
    written = np.zeros(SHAPE[0], np.bool_)
    for piece in pieces:
        slabs.write(piece, part(piece))
        written[piece.row : piece.row_stop] = True
        whole = [place for place in slabs.slab_windows if written[place.row : place.row_stop].all()]
        assert {file.name for file in slabs.folder.iterdir()} == {"settings.json"} | {
            slabs.slab_path(product, place).name for product in PRODUCTS for place in whole
        }
        assert [slabs.has_slab(place) for place in slabs.slab_windows] == [
            place in whole for place in slabs.slab_windows
        ]


@given(height=st.integers(1, 20 * BLOCK_SIZE), there=st.sets(st.integers(0, 19)))
def test_missing_is_what_is_not_there_with_neighbours_joined(tmp_path_factory, height, there):
    slabs = slabs_in(tmp_path_factory.mktemp("slabs") / "some", (height, 3))
    for place in slabs.slab_windows:
        if place.row // BLOCK_SIZE in there:
            for product in PRODUCTS:
                slabs.slab_path(product, place).touch()
    missing = slabs.missing
    rows = [row for window in missing for row in range(window.row, window.row_stop)]
    assert rows == [row for row in range(height) if row // BLOCK_SIZE not in there]
    assert all(above.row_stop < below.row for above, below in pairwise(missing)), "neighbours are one window"
    assert {(window.col, window.width) for window in missing} <= {(0, 3)}


def test_a_slab_of_which_one_product_is_missing_is_missing(tmp_path):
    slabs = slabs_in(tmp_path / "slabs")
    slabs.write(Window(0, 0, *SHAPE), PIXELS)
    slabs.slab_path(PRODUCTS[1], slabs.slab_windows[1]).unlink()
    assert slabs.missing == [slabs.slab_windows[1]]


def test_settings_come_back_and_begin_empties(tmp_path):
    settings = {"tile": 512, "bands": ["red", "nir"], "gsd": 0.1 + 0.2, "aoi": None, "model": "Bäume"}
    slabs = slabs_in(tmp_path / "slabs", settings=settings)
    slabs.write(Window(0, 0, *SHAPE), PIXELS)
    other = PartialRasters(tmp_path / "slabs", SHAPE, PRODUCTS)
    assert (other.settings, other.missing) == (settings, [])
    other.create({"tile": 256})
    assert [file.name for file in other.folder.iterdir()] == ["settings.json"]
    assert (other.settings, other.missing) == ({"tile": 256}, [Window(0, 0, *SHAPE)])
    other.delete()
    assert not other.folder.exists()
    assert other.settings is None


@pytest.mark.parametrize("content", ["", "{", '{"tile": '])
def test_settings_that_were_cut_off_are_none(tmp_path, content):
    slabs = slabs_in(tmp_path / "slabs")
    (slabs.folder / "settings.json").write_text(content)
    assert slabs.settings is None


def test_flush_fills_what_is_lacking_with_nodata(tmp_path):
    slabs, piece = slabs_in(tmp_path / "slabs"), Window(500, 10, 30, 20)
    slabs.write(piece, part(piece))
    assert len(slabs.missing) == 1
    slabs.flush()
    assert slabs.missing == [slabs.slab_windows[2]], "where nothing was written there is nothing to flush"
    for product in PRODUCTS:
        found = []
        for place in slabs.slab_windows[:2]:
            with read(slabs.slab_path(product, place)) as file:
                found.append(file.read())
        expected = np.full((len(product.bands), 1024, SHAPE[1]), 255, np.uint8)
        expected[:, *piece.slices()] = PIXELS[product.name][:, *piece.slices()]
        np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_many_threads_make_the_same_files(tmp_path, at_once):
    slabs = slabs_in(tmp_path / "slabs")
    pieces = [Window(row, col, 20, 35) for row in range(0, 1200, 20) for col in (0, 35)]
    random.Random(1).shuffle(pieces)
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for piece in pieces[number::8]:
            slabs.write(piece, part(piece))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert files(slabs) == at_once


def test_several_processes_may_write_slabs_of_the_same_rasters(tmp_path, at_once):
    slabs_in(tmp_path / "slabs")
    for place in strips(*SHAPE, BLOCK_SIZE):
        PartialRasters(tmp_path / "slabs", SHAPE, PRODUCTS).write(place, part(place))
    assert files(PartialRasters(tmp_path / "slabs", SHAPE, PRODUCTS)) == at_once


def test_a_file_that_was_not_written_as_it_should_be_gets_no_name(tmp_path, monkeypatch):
    slabs = slabs_in(tmp_path / "slabs")
    monkeypatch.setattr(module.np, "array_equal", lambda *_: False)
    with pytest.raises(OSError, match="differs from the file written"):
        slabs.write(slabs.slab_windows[0], part(slabs.slab_windows[0]))
    assert len(slabs.missing) == 1
    assert files(slabs) == {}


def test_a_folder_that_is_gone_is_an_oserror(tmp_path):
    slabs = slabs_in(tmp_path / "slabs")
    slabs.delete()
    with pytest.raises(OSError, match="slabs"):
        slabs.write(Window(0, 0, *SHAPE), PIXELS)


@pytest.mark.parametrize(
    ("window", "pixels"),
    [
        (Window(1190, 0, 20, 70), np.zeros((1, 20, 70), np.uint8)),
        (Window(0, 0, 20, 70), np.zeros((1, 20, 69), np.uint8)),
        (Window(0, 0, 20, 70), np.zeros((1, 20, 70), np.int64)),
    ],
    ids=["outside", "of another shape", "of another type"],
)
def test_our_own_mistakes_show(tmp_path, window, pixels):
    slabs = PartialRasters(tmp_path / "slabs", SHAPE, PRODUCTS[:1])
    slabs.create({})
    with pytest.raises(AssertionError):
        slabs.write(window, {"mask": pixels})
    assert os.listdir(slabs.folder) == ["settings.json"]  # noqa: PTH208


def test_what_is_chosen_once_stays(tmp_path):
    slabs = PartialRasters(tmp_path / "slabs", (10, 10), [make_output("mask", make_numbered_legend([1]))])
    slabs.create({})
    assert [slabs.shared_value("batch", lambda chosen=chosen: chosen) for chosen in (7, 9)] == [7, 7]
    slabs.create({})
    assert slabs.shared_value("batch", lambda: 9) == 9


@pytest.mark.parametrize("attempt", range(20))
def test_those_who_choose_at_the_same_time_agree(tmp_path, attempt):
    slabs, everyone = slabs_in(tmp_path / "slabs"), threading.Barrier(8)

    def chosen(number: int) -> int:
        everyone.wait()
        return number

    with ThreadPoolExecutor(8) as pool:
        agreed = list(pool.map(lambda number: slabs.shared_value("batch", lambda: chosen(number)), range(8)))
    assert len(set(agreed)) == 1


def test_rasters_too_wide_for_a_slab_are_refused_and_leave_nothing(tmp_path):
    grid = Grid(None, Affine.identity(), 600, 2**31 - 1)
    legend = Legend.of({"a": "#000000", "b": "#ffffff"})
    with pytest.raises(SceneError, match="pixels wide"), open_writer(CogWriter(tmp_path / "mask.tif"), grid, legend):
        pass
    assert list(tmp_path.iterdir()) == []
