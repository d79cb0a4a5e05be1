"""Output pixels are made from the stretch of the file that lies under them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.raster.resampling_indices import Span, spans


def test_the_worked_example() -> None:
    assert list(spans(-3, 16, 8, length=10)) == [Span(1, 2, 0, 1), Span(2, 6, 1, 8), Span(6, 7, 9, 1)]


def test_a_window_inside_is_one_span() -> None:
    assert list(spans(4, 10, 3, length=20)) == [Span(0, 3, 4, 10)]


def test_a_window_outside_is_none() -> None:
    assert list(spans(-8, 8, 4, length=20)) == []
    assert list(spans(20, 8, 4, length=20)) == []


@given(st.integers(-50, 80), st.integers(1, 90), st.integers(1, 90), st.integers(1, 60))
def test_spans_lie_inside_the_file_and_under_their_pixels(first: int, size: int, output: int, length: int) -> None:
    step, done = size / output, 0
    for span in spans(first, size, output, length=length):
        assert done <= span.start < span.stop <= output
        assert span.offset >= 0
        assert span.offset + span.length <= length + 1e-6
        assert span.offset >= first + span.start * step - 1e-6
        assert span.offset + span.length <= first + span.stop * step + 1e-6
        done = span.stop


@given(st.integers(-50, 80), st.integers(1, 90), st.integers(1, 90), st.integers(1, 60))
def test_pixels_are_made_exactly_if_their_centre_lies_inside(first: int, size: int, output: int, length: int) -> None:
    made = {pixel for span in spans(first, size, output, length=length) for pixel in range(span.start, span.stop)}
    for pixel in range(output):
        centre = first + (pixel + 0.5) * size / output
        if centre != pytest.approx(0, abs=1e-6) and centre != pytest.approx(length, abs=1e-6):
            assert (pixel in made) == (0 < centre < length)
