import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.grid.window import Window
from geoseg.inference.sliding.averaged_windows import (
    WindowGrid,
    averaged_logits,
    window_starts,
)
from geoseg.inference.tile_pipeline import TilePrediction
from geoseg.inference.tta import IDENTITY, TtaVariant

CPU = torch.device("cpu")

strides = st.integers(1, 9).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size)))


def mmsegmentation_starts(length, size, stride):
    """The lines of `slide_inference` that say where windows begin."""
    grids = max(length - size + stride - 1, 0) // stride + 1
    for index in range(grids):
        stop = min(index * stride + size, length)
        yield max(stop - size, 0)


@given(st.integers(1, 60), strides)
def test_windows_begin_where_mmsegmentations_do_and_cover_everything(length, tiling):
    found = window_starts(length, *tiling)
    assert found == list(mmsegmentation_starts(length, *tiling))
    assert {pixel for start in found for pixel in range(start, min(start + tiling[0], length))} == set(range(length))


def test_the_last_window_is_shifted_back_to_the_border():
    assert window_starts(12, 6, 4) == [0, 4, 6]
    assert window_starts(1024, 512, 341) == [0, 341, 512]
    assert window_starts(300, 512, 341) == [0]


def test_a_flipped_image_has_its_shifted_window_at_the_other_end():
    flipped = WindowGrid((12, 12), Window(0, 0, 12, 12), 6, 4, TtaVariant(flip_rows=True, flip_cols=True))
    assert flipped.rows == [0, 2, 6]
    assert flipped.cols == [6, 2, 0], "in the order in which the flipped image is slid over"


@st.composite
def windows(draw):
    height, width = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    row, col = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    part = Window(row, col, draw(st.integers(1, height - row)), draw(st.integers(1, width - col)))
    variant = draw(st.sampled_from([IDENTITY, TtaVariant(flip_rows=True), TtaVariant(flip_cols=True)]))
    return WindowGrid(
        (height, width), draw(st.sampled_from([part, Window(0, 0, height, width)])), *draw(strides), variant
    )


def piece(tile, logits):
    return TilePrediction(tile, logits, np.ones(tile.view.shape, bool))


def rows_of(windows, logits):
    """What comes out if every window says the logits (class, row, col) of its pixels plus its own number."""
    tiles = list(windows.tiles())
    pieces = [piece(tile, logits[:, *tile.view.slices()] + seed(tile)) for tile in tiles]
    return torch.cat(list(averaged_logits(pieces, windows, classes=2, device=CPU)), dim=1)


def seed(tile):
    return 7 * tile.view.row + 3 * tile.view.col


@settings(deadline=None)
@given(windows())
def test_logits_are_summed_and_divided_by_the_number_of_windows(windows):
    logits = torch.arange(2.0 * np.prod(windows.image)).reshape(2, *windows.image)
    total, count = torch.zeros_like(logits), torch.zeros(windows.image)
    for tile in windows.tiles():
        here = tile.view.slices()
        total[:, *here] += logits[:, *here] + seed(tile)
        count[here] += 1
    extent, part = windows.extent, windows.part
    assert extent.contains(part)
    there = part.relative_to(extent).slices()
    expected = total[:, *part.slices()] / count[part.slices()]
    assert torch.equal(rows_of(windows, logits)[:, *there], expected)


@settings(deadline=None)
@given(windows())
def test_a_part_gets_all_windows_that_have_a_say_in_it_and_no_others(windows):
    whole = WindowGrid(windows.image, Window(0, 0, *windows.image), windows.size, windows.stride, windows.variant)
    touching = [tile for tile in whole.tiles() if not tile.view.intersection(windows.part).is_empty]
    assert list(windows.tiles()) == touching
    assert windows.count == len(touching)


def test_windows_that_were_not_looked_at_count_as_zero():
    windows = WindowGrid((2, 3), Window(0, 0, 2, 3), 2, 1)
    left, right = windows.tiles()
    pieces = [piece(left, torch.ones(1, 2, 2)), piece(right, None)]
    (rows,) = averaged_logits(pieces, windows, classes=1, device=CPU)
    assert rows.tolist() == [[[1, 0.5, 0], [1, 0.5, 0]]]
