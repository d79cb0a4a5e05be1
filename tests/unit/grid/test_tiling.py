"""Tilings: every pixel is somebody's, and nobody's twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import tilings

from geoseg.errors import ConfigError, SceneError
from geoseg.grid.tiling import strips, tile_rows, tiles
from geoseg.grid.window import Window


def cover(height, width, parts) -> np.ndarray:
    """How often each pixel of a grid is in one of the windows; windows may reach outside."""
    count = np.zeros((height, width), int)
    for part in parts:
        count[part.clip_to(height, width).slices()] += 1
    return count


@given(tilings())
def test_cores_partition_the_grid(tiling) -> None:
    height, width, size, halo = tiling
    cores = [tile.core for tile in tiles(height, width, size, halo)]
    assert (cover(height, width, cores) == 1).all()
    assert all(Window(0, 0, height, width).contains(core) and not core.is_empty for core in cores)


@given(tilings())
def test_every_view_holds_its_core_and_its_halo(tiling) -> None:
    height, width, size, halo = tiling
    for tile in tiles(height, width, size, halo):
        assert tile.view.shape == (size, size)
        assert tile.view.contains(tile.core.pad(halo))


@given(tilings())
def test_rows_of_tiles_are_the_tiles_in_order(tiling) -> None:
    rows = list(tile_rows(*tiling))
    flat = [tile for row in rows for tile in row]
    assert flat == list(tiles(*tiling))
    assert flat == sorted(flat, key=lambda tile: (tile.core.row, tile.core.col))
    assert all(len({tile.core.row for tile in row}) == 1 for row in rows)


@pytest.mark.parametrize(("size", "halo"), [(8, 4), (1, 1), (8, -1)])
def test_a_halo_that_leaves_no_core_is_refused(size, halo) -> None:
    with pytest.raises(ConfigError, match=f"a halo of {halo} leaves no pixels of a tile of {size}"):
        list(tiles(10, 10, size, halo))


def test_the_worked_example_of_the_docstring_holds() -> None:
    row = next(tile_rows(4, 10, 6, 1))
    assert [(tile.core.col, tile.core.width) for tile in row] == [(0, 4), (4, 4), (8, 2)]
    assert [(tile.view.col, tile.view.width) for tile in row] == [(-1, 6), (3, 6), (7, 6)]


@given(st.integers(1, 99), st.integers(1, 9), st.integers(1, 120))
def test_strips_partition_a_grid_from_top_to_bottom(height, width, rows) -> None:
    cut = list(strips(height, width, rows))
    assert (cover(height, width, cut) == 1).all()
    assert cut == sorted(cut)
    assert all(strip.width == width and strip.height <= rows for strip in cut)


def test_strips_of_a_raster_too_wide_for_memory_are_refused() -> None:
    with pytest.raises(SceneError, match="2,147,483,647 pixels wide") as caught:
        next(strips(600, 2**31 - 1, 512))
    assert caught.value.hint
    assert next(strips(600, 2_000_000, 512)).shape == (512, 2_000_000)
