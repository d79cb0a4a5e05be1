"""Windows behave like the sets of pixels they stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import windows

from geoseg.grid.window import Window


def pixels(window: Window) -> set[tuple[int, int]]:
    return {(r, c) for r in range(window.row, window.row_stop) for c in range(window.col, window.col_stop)}


@given(windows(), windows())
def test_the_intersection_holds_the_pixels_both_hold(a, b) -> None:
    assert pixels(a.intersection(b)) == pixels(a) & pixels(b)


@given(windows(), windows(6))
def test_a_window_contains_another_if_it_holds_its_pixels(a, b) -> None:
    assert a.contains(b) == (pixels(b) <= pixels(a))


@given(windows(), windows())
def test_every_window_contains_what_it_shares_with_another(a, b) -> None:
    assert a.contains(a.intersection(b))
    assert b.contains(a.intersection(b))


@given(windows())
def test_an_empty_window_holds_no_pixel(window) -> None:
    assert window.is_empty == (not pixels(window))
    assert len(pixels(window)) == window.height * window.width


@given(windows(), st.integers(0, 9))
def test_padding_is_taken_away_by_padding_less(window, ring) -> None:
    assert window.pad(ring).pad(-ring) == window
    assert window.pad(ring).contains(window)


def test_taking_away_more_than_there_is_leaves_an_empty_window() -> None:
    assert Window(0, 0, 4, 9).pad(-3).shape == (0, 3)


@given(windows(), st.integers(-9, 9), st.integers(-9, 9))
def test_shifting_moves_every_pixel(window, rows, cols) -> None:
    assert pixels(window.shift(rows, cols)) == {(r + rows, c + cols) for r, c in pixels(window)}


@given(windows(), windows())
def test_a_relative_window_is_counted_from_the_outer_ones_first_pixel(window, outer) -> None:
    assert window.relative_to(outer).shift(outer.row, outer.col) == window
    assert outer.relative_to(outer) == Window(0, 0, *outer.shape)


@given(windows(), st.integers(0, 20), st.integers(0, 20))
def test_clipping_leaves_the_pixels_inside_the_grid(window, height, width) -> None:
    assert pixels(window.clip_to(height, width)) == {
        (r, c) for r, c in pixels(window) if 0 <= r < height and 0 <= c < width
    }


@given(windows().filter(lambda w: w.row >= 0 and w.col >= 0))
def test_slices_cut_the_windows_pixels_out_of_an_array(window) -> None:
    rows, cols = np.indices((40, 40))
    places = window.slices()
    assert set(zip(rows[places].ravel().tolist(), cols[places].ravel().tolist(), strict=True)) == pixels(window)


@pytest.mark.parametrize("window", [Window(-1, 0, 3, 3), Window(0, -2, 3, 3)])
def test_a_window_that_begins_before_the_array_has_no_slices(window) -> None:
    with pytest.raises(ValueError, match="begins outside the array"):
        window.slices()


def test_a_window_of_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 x 3"):
        Window(0, 0, -1, 3)
