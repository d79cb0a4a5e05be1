"""Tests of class weights against their formulas."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.component_spec import WeightedComponent
from geoseg.training.class_weights import WEIGHT_LIMITS, compute_class_weights, resolve_class_weights

counts = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)


@given(counts)
def test_balanced_weight_is_median_frequency_over_class_frequency(pixels):
    seen = [count for count in pixels if count]
    for weight, count in zip(compute_class_weights("balanced", pixels), pixels, strict=True):
        expected = statistics.median(seen) / count if count else 1
        assert weight == pytest.approx(min(max(expected, 0.1), 10))


@given(counts)
def test_sqrt_weight_is_the_square_root(pixels):
    seen = [count for count in pixels if count]
    for weight, count in zip(compute_class_weights("sqrt", pixels), pixels, strict=True):
        expected = math.sqrt(statistics.median(seen) / count) if count else 1
        assert weight == pytest.approx(min(max(expected, 0.1), 10))


@given(counts, st.sampled_from(["balanced", "sqrt"]))
def test_weights_decrease_with_frequency_within_limits(pixels, word):
    weights = compute_class_weights(word, pixels)
    assert all(WEIGHT_LIMITS[0] <= weight <= WEIGHT_LIMITS[1] for weight in weights)
    seen = sorted((count, weight) for count, weight in zip(pixels, weights, strict=True) if count)
    assert [weight for _, weight in seen] == sorted((weight for _, weight in seen), reverse=True)


def test_rules_are_replaced_and_other_options_kept():
    parts = [
        WeightedComponent(
            name="cross_entropy", options={"class_weights": "balanced", "label_smoothing": 0.1}, weight=2.0
        ),
        WeightedComponent(name="focal", options={"class_weights": [1.0, 2.0, 3.0]}),
        WeightedComponent(name="dice"),
    ]
    first, *others = resolve_class_weights(parts, [100, 200, 400])
    assert first.options == {"class_weights": [2.0, 1.0, 0.5], "label_smoothing": 0.1}
    assert (first.name, first.weight) == ("cross_entropy", 2.0)
    assert others == parts[1:]
