"""Statistics are those of all valid pixels together, in however many pieces they come."""

import json

import numpy as np
import pytest
from affine import Affine
from helpers.rasters import noise
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import SceneError
from geoseg.grid.grid import Grid
from geoseg.raster.raster import Raster
from geoseg.raster.statistics import RunningStatistics


def raster(values, valid=None):
    shape = values.shape[1:]
    return Raster(values, np.ones(shape, bool) if valid is None else valid, Grid(None, Affine.identity(), *shape))


def statistics(*rasters):
    running = RunningStatistics()
    for one in rasters:
        running.add(one)
    return running.summarize([f"band {number}" for number in range(len(rasters[0].values))])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.sampled_from([np.uint8, np.uint16, np.float32]))
def test_they_are_those_of_numpy_over_all_pieces(heights, dtype):
    pieces = [noise(2, height, 7, dtype=dtype) for height in heights]
    everything = np.concatenate(pieces, axis=1).reshape(2, -1).astype(np.float64)
    for band, values in zip(statistics(*map(raster, pieces)), everything, strict=True):
        assert (band.mean, band.std) == pytest.approx((values.mean(), values.std()), rel=1e-9, abs=1e-9)
        assert (band.minimum, band.maximum) == (values.min(), values.max())


@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.booleans(),
)
def test_merged_they_are_those_of_numpy_over_the_valid_pixels_of_all(parts, dtype, written):
    """Each part counted by itself, some without a valid pixel, and with or without a way through JSON."""
    merged, values, valid = RunningStatistics(), noise(2, 300, 7, dtype=dtype), noise(300, 7, high=3) > 0
    kept, row = [values[:, :1, 0]], 1
    merged.add(raster(values[:, :1, :1]))
    for height, empty in parts:
        strip = slice(row, row + height)
        holds = valid[strip] & (not empty)
        alone = RunningStatistics()
        alone.add(raster(values[:, strip], holds))
        merged.merge(RunningStatistics.from_json(json.loads(json.dumps(alone.to_json()))) if written else alone)
        kept.append(values[:, strip][:, holds])
        row += height
    everything = np.concatenate(kept, axis=1).astype(np.float64)
    assert merged.count == everything.shape[1]
    for band, expected in zip(merged.summarize(["a", "b"]), everything, strict=True):
        assert (band.mean, band.std) == pytest.approx((expected.mean(), expected.std()), rel=1e-9, abs=1e-9)
        assert (band.minimum, band.maximum) == (expected.min(), expected.max())


def test_pixels_that_are_not_valid_do_not_count():
    values = noise(1, 20, 20)
    valid = noise(20, 20, high=2) > 0
    band = statistics(raster(values, valid))[0]
    assert band.mean == pytest.approx(values[0][valid].mean())


def test_no_digits_are_lost_far_from_zero():
    values = noise(1, 64, 64, dtype=np.float64, high=2) + 1e9
    assert statistics(raster(values))[0].std == pytest.approx(values.std(), rel=1e-9)


def test_bands_carry_the_names_they_are_given():
    assert [band.name for band in statistics(raster(noise(3, 4, 4)))] == ["band 0", "band 1", "band 2"]


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_valid_pixel_there_are_none(count):
    running = RunningStatistics()
    for _ in range(count):
        running.add(raster(np.zeros((1, 9, 9), np.uint8), np.zeros((9, 9), bool)))
    with pytest.raises(SceneError) as caught:
        running.summarize(["red"])
    assert caught.value.hint
