"""Crop plans: whatever is drawn lies in its piece, fills the crop as far as it can, and holds the pixel it must hold."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies_data import prepared_scene, striped

from geoseg.data.crops.crop import CropPlan, cut, drawn
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX

seeds, sizes, sides = st.integers(0, 2**32), st.integers(1, 80), st.integers(1, 200)
places = st.integers(-50, 300)
scales = st.floats(0.05, 4)


class Fixed:
    """A generator whose magnification is known."""

    def __init__(self, seed, magnification) -> None:
        self.rng, self.uniform = np.random.default_rng(seed), lambda *_: magnification
        self.integers = self.rng.integers


@given(row=places, col=places, height=sides, width=sides, size=sizes, seed=seeds, scale=scales)
def test_a_plan_lies_in_its_piece_and_fills_the_crop_or_shows_the_whole_axis(
    row, col, height, width, size, seed, scale
) -> None:
    piece = Window(row, col, height, width)
    plan = drawn(Fixed(seed, scale), 3, piece, size=size, scale=(0, 0))
    assert (plan.scene, plan.size, plan.core) == (3, size, None)
    assert piece.contains(plan.window)
    assert not plan.window.is_empty
    filled = tuple(min(max(int(side * scale + 0.5), 1), size) for side in piece.shape)
    assert (plan.shape or (size, size)) == filled
    for read, side, fills in zip(plan.window.shape, piece.shape, filled, strict=True):
        if fills == max(int(side * scale + 0.5), 1):
            assert read == side  # smaller than the crop: read whole
        else:
            assert abs(read - size / scale) <= 1 + side / (2 * scale * side - 1) / scale


@given(height=sides, width=sides, size=sizes, seed=seeds, scale=scales, at=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@example(height=3, width=3, size=3, seed=0, scale=2.0, at=(0.5, 0.5))
def test_a_plan_through_a_pixel_holds_it(height, width, size, seed, scale, at) -> None:
    piece = Window(7, -4, height, width)
    pixel = tuple(min(int(share * side), side - 1) for share, side in zip(at, piece.shape, strict=True))
    row, col = pixel[0] + piece.row, pixel[1] + piece.col
    plan = drawn(Fixed(seed, scale), 0, piece, size=size, scale=(0, 0), through=(row, col))
    assert plan.window.contains(Window(row, col, 1, 1))
    assert piece.contains(plan.window)


def test_every_place_is_drawn_equally_often() -> None:
    rng, count = np.random.default_rng(0), np.zeros((6, 4))
    for _ in range(2400):
        window = drawn(rng, 0, Window(0, 0, 9, 7), size=4, scale=(1, 1)).window
        count[window.row, window.col] += 1
    assert count.min() > 60
    assert count.max() < 140


def test_a_pixel_lies_anywhere_in_the_crops_drawn_through_it() -> None:
    rng = np.random.default_rng(0)
    windows = [drawn(rng, 0, Window(0, 0, 90, 90), size=8, scale=(1, 1), through=(40, 40)).window for _ in range(400)]
    assert {40 - window.row for window in windows} == {40 - window.col for window in windows} == set(range(8))


def test_magnifications_fill_their_range() -> None:
    rng = np.random.default_rng(0)
    read = [drawn(rng, 0, Window(0, 0, 999, 999), size=100, scale=(0.5, 2)).window.height for _ in range(400)]
    assert 50 <= min(read) < 53
    assert 190 < max(read) <= 200
    assert np.mean(np.array(read) < 80) == pytest.approx(0.5, abs=0.07)  # uniform in magnification: 1.25 is the middle


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_what_a_small_piece_leaves_of_the_crop_is_padding_on_the_right_and_below(tmp_path, scale) -> None:
    scene = prepared_scene(tmp_path, striped(10, 16))
    crop = cut(scene, drawn(Fixed(0, scale), 0, Window(0, 0, 10, 16), size=32, scale=(0, 0)))
    filled = (slice(int(10 * scale + 0.5)), slice(int(16 * scale + 0.5)))
    outside = np.ones((32, 32), bool)
    outside[filled] = False
    assert crop.valid[filled].all()
    assert not crop.valid[outside].any()
    assert (crop.target[outside] == IGNORE_INDEX).all()
    assert (crop.image[:, outside] == 0).all()


def test_a_piece_may_be_any_part_of_a_scene(tmp_path) -> None:
    mask = striped(40, 40, side=1)
    scene = prepared_scene(tmp_path, mask)
    piece = Window(20, 10, 8, 12)
    crop = cut(scene, drawn(Fixed(0, 1.0), 0, piece, size=32, scale=(0, 0)))
    assert np.array_equal(crop.target[:8, :12], mask[piece.slices()])
    assert (crop.target[8:] == IGNORE_INDEX).all()


def test_a_plan_is_a_value() -> None:
    assert CropPlan(0, Window(0, 0, 3, 3), 3) == CropPlan(0, Window(0, 0, 3, 3), 3)
