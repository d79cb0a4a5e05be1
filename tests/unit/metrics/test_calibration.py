"""Tests of calibration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from geoseg.metrics.calibration import CALIBRATION_BINS, Calibration, quantize_confidence

levels = arrays.arrays(np.uint8, st.integers(1, 40), elements=st.integers(0, 255))


def counted(level, right) -> Calibration:
    made = Calibration()
    made.update(np.asarray(level, np.uint8), np.asarray(right, bool))
    return made


@given(levels, st.data())
def test_counts_of_parts_can_be_added(level, data) -> None:
    right = level % 3 == 0
    cut = data.draw(st.integers(0, len(level)))
    apart = counted(level[:cut], right[:cut]) + counted(level[cut:], right[cut:])
    assert np.array_equal(apart.counts, counted(level, right).counts)
    assert apart.pixels == (level != 255).sum()


def test_error_is_zero_if_confidence_equals_accuracy() -> None:
    level = np.repeat(np.array([127, 254], np.uint8), 1000)
    right = np.concatenate([np.arange(1000) % 2 == 0, np.ones(1000, bool)])
    assert counted(level, right).error() == pytest.approx(0, abs=1e-9)


def test_error_is_one_if_always_certain_and_wrong() -> None:
    assert counted([254] * 5, [False] * 5).error() == 1


def test_error_without_pixels_is_undefined() -> None:
    assert np.isnan(Calibration().error())


@given(arrays.arrays(np.float64, 200, elements=st.floats(0, 1)))
def test_error_equals_its_definition(confidence) -> None:
    level = quantize_confidence(confidence)
    right = np.arange(200) % 3 > 0
    sure = level / 254
    place = np.minimum((sure * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    expected = sum(
        (place == b).mean() * abs(sure[place == b].mean() - right[place == b].mean()) for b in np.unique(place)
    )
    assert counted(level, right).error() == pytest.approx(expected)
