"""How many tiles at once: as many as make each of them faster, and as fit."""

import pytest
from helpers.models import bundle, threshold_bundle
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import GeosegError
from geoseg.inference.find_batch_size import (
    CPU_BATCH,
    MAX_BATCH,
    MIN_SPEEDUP,
    choose_batch_size,
    find_fastest_batch,
    measure_pass,
)
from geoseg.inference.predictor import Predictor


def machine(overhead, per_tile, fits=10**9):
    """Seconds of a pass that takes some time whatever it does, and some for each tile; notes what was tried."""
    tried = []

    def seconds(batch):
        tried.append(batch)
        if batch > fits:
            raise GeosegError("out of memory")
        return overhead + per_tile * batch

    return seconds, tried


@pytest.mark.parametrize(
    ("overhead", "fits", "expected"),
    [
        (0, 100, 1),  # twice the tiles take twice the time
        (1, 8, 8),
        (1, 15, 8),
        (1, 1, 1),
        (100, 10**9, MAX_BATCH),
        (0.25, 10**9, 8),  # the next would gain 1.5 % a tile
    ],
)
def test_the_batch_grows_while_tiles_become_faster_and_fit(overhead, fits, expected):
    seconds, tried = machine(overhead, 1, fits)
    assert find_fastest_batch(seconds) == expected
    assert tried == [2**n for n in range(len(tried))]
    assert tried[-1] <= 2 * expected, "nothing much larger is tried"


def test_out_of_memory_at_16_means_8():
    seconds, tried = machine(10, 1, fits=15)
    assert find_fastest_batch(seconds) == 8
    assert tried == [1, 2, 4, 8, 16]


def test_a_single_tile_that_does_not_fit_is_an_error():
    with pytest.raises(GeosegError, match="out of memory"):
        find_fastest_batch(machine(1, 1, fits=0)[0])


@given(st.floats(0, 100), st.floats(0.01, 10), st.integers(1, 200))
def test_it_is_always_a_power_of_two_that_fits_and_nearly_the_fastest(overhead, per_tile, fits):
    seconds, _ = machine(overhead, per_tile, fits)
    batch = find_fastest_batch(seconds)
    assert batch in [2**n for n in range(7)]
    assert batch <= fits
    if 2 * batch <= min(fits, MAX_BATCH):
        assert seconds(2 * batch) / (2 * batch) * MIN_SPEEDUP > seconds(batch) / batch


def test_a_given_batch_is_used_without_trial_and_cpus_have_a_default():
    model = threshold_bundle()
    predictor = Predictor(model, "cpu")
    assert choose_batch_size(7, predictor, 16) == 7
    assert choose_batch_size(None, predictor, 16) == CPU_BATCH
    assert model.network.seen == []


def test_timing_shows_the_network_what_it_will_see():
    model = threshold_bundle()
    assert measure_pass(Predictor(model, "cpu"), 24, 5) > 0
    assert set(model.network.seen) == {(5, 1, 24, 24)}


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16"])
def test_any_type_of_pixels_is_timed(dtype):
    assert measure_pass(Predictor(bundle(dtype=dtype), "cpu"), 16, 2, passes=1) > 0
