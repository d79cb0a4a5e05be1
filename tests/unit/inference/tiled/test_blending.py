import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.grid.tiling import tiles
from geoseg.inference.encode_outputs import class_index
from geoseg.inference.options import PredictOptions
from geoseg.inference.tile_pipeline import TilePrediction
from geoseg.inference.tiled.blending import BLENDS, WINDOWS, TileLayout, window_weights

CPU = torch.device("cpu")


@st.composite
def layouts(draw):
    halos = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    above, left = halos
    sizes = 2 * above + draw(st.integers(1, 12)), 2 * left + draw(st.integers(1, 12))
    size, halo = (sizes, halos) if draw(st.booleans()) else (sizes[0], halos[0])
    window = draw(st.sampled_from(sorted(WINDOWS)))
    return TileLayout(draw(st.integers(1, 40)), draw(st.integers(1, 40)), size, halo, 3, CPU, window)


def pieces_of(layout, probabilities, valid):
    """The pieces of a scene whose probabilities (class, row, col) are known; zeros and not valid beyond its edges."""
    pad = max(layout.sizes)
    around = torch.nn.functional.pad(probabilities, (pad,) * 4)
    valid = np.pad(valid, pad)
    for tile in tiles(layout.height, layout.width, layout.size, layout.halo):
        here = tile.view.shift(pad, pad).slices()
        yield TilePrediction(tile, around[:, *here] if valid[here].any() else None, valid[here])


def scene_of(layout, share=0.2):
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.randn((3, layout.height, layout.width), generator=generator).softmax(0)
    return probabilities, np.random.default_rng(0).random((layout.height, layout.width)) >= share


@pytest.mark.parametrize("blend", BLENDS)
@settings(deadline=None)
@given(layout=layouts(), share=st.sampled_from([0.0, 0.2, 0.99]))
def test_tiles_that_agree_come_back_as_they_were(blend, layout, share):
    probabilities, valid = scene_of(layout, share)
    mask = np.zeros((layout.height, layout.width), np.uint8)
    for window, scores, usable in BLENDS[blend](pieces_of(layout, probabilities, valid), layout):
        mask[window.slices()] = class_index(scores, usable)
    np.testing.assert_array_equal(mask, np.where(valid, probabilities.argmax(0), 255))


@pytest.mark.parametrize("blend", BLENDS)
@settings(deadline=None)
@given(layout=layouts())
def test_strips_follow_each_other_from_top_to_bottom_without_gaps(blend, layout):
    row = 0
    for window, scores, valid in BLENDS[blend](pieces_of(layout, *scene_of(layout)), layout):
        assert (window.row, window.col, window.width) == (row, 0, layout.width)
        assert scores.shape == (layout.classes, *window.shape)
        assert valid.shape == window.shape
        row = window.row_stop
    assert row == layout.height


@settings(deadline=None)
@given(layouts())
def test_the_layout_knows_how_many_tiles_there_are(layout):
    assert layout.tiles == len(list(tiles(layout.height, layout.width, layout.size, layout.halo)))


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 20), st.sampled_from(["cosine", "linear"]))
def test_weights_of_neighbours_add_up_to_one(halo, more, window):
    size = 4 * halo + more
    along = window_weights(size, halo, window).diagonal().sqrt()
    torch.testing.assert_close(along[: 2 * halo] + along[-2 * halo :], torch.ones(2 * halo))


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_are_symmetric_one_in_the_middle_and_nowhere_zero(window):
    weights = window_weights(64, 16, window)
    assert weights.min() > 0
    assert weights.max() == pytest.approx(1, abs=0.05)
    for turned in (weights.flip(0), weights.flip(1), weights.T):
        torch.testing.assert_close(turned, weights)


def test_weights_fall_towards_the_edges_and_never_to_zero():
    weights = window_weights(512, 64, PredictOptions.window)
    assert weights.min() > 0
    assert (weights[:128, 256].diff() > 0).all()
    assert weights[0, 256] < 1e-3


def test_equal_probabilities_go_to_the_first_class_and_invalid_pixels_to_none():
    probabilities = torch.tensor([[[0.4, 0.2]], [[0.4, 0.4]], [[0.2, 0.4]]])
    assert class_index(probabilities, np.array([[True, True]])).tolist() == [[0, 1]]
    assert class_index(probabilities, np.array([[True, False]])).tolist() == [[0, 255]]


def test_class_index_is_argmax():
    probabilities = torch.rand(7, 30, 40)
    valid = np.ones((30, 40), bool)
    np.testing.assert_array_equal(class_index(probabilities, valid), probabilities.argmax(0))
