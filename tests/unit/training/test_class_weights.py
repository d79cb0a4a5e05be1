"""Class weights from pixel counts, against the formulas written out."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.component import WeightedPart
from geoseg.training.class_weights import LIMITS, class_weights, with_class_weights

counts = st.lists(st.integers(0, 10**9), min_size=1, max_size=12)


@given(counts)
def test_weights_are_the_median_frequency_over_the_classs_own(pixels):
    seen = [count for count in pixels if count]
    for weight, count in zip(class_weights("balanced", pixels), pixels, strict=True):
        expected = statistics.median(seen) / count if count else 1
        assert weight == pytest.approx(min(max(expected, 0.1), 10))


@given(counts)
def test_sqrt_is_its_square_root(pixels):
    seen = [count for count in pixels if count]
    for weight, count in zip(class_weights("sqrt", pixels), pixels, strict=True):
        expected = math.sqrt(statistics.median(seen) / count) if count else 1
        assert weight == pytest.approx(min(max(expected, 0.1), 10))


@given(counts, st.sampled_from(["balanced", "sqrt"]))
def test_rarer_classes_never_weigh_less_and_none_leads_the_network_about(pixels, word):
    weights = class_weights(word, pixels)
    assert all(LIMITS[0] <= weight <= LIMITS[1] for weight in weights)
    seen = sorted((count, weight) for count, weight in zip(pixels, weights, strict=True) if count)
    assert [weight for _, weight in seen] == sorted((weight for _, weight in seen), reverse=True)


def test_words_become_numbers_and_everything_else_stays():
    parts = [
        WeightedPart(name="cross_entropy", options={"class_weights": "balanced", "label_smoothing": 0.1}, weight=2.0),
        WeightedPart(name="focal", options={"class_weights": [1.0, 2.0, 3.0]}),
        WeightedPart(name="dice"),
    ]
    first, *others = with_class_weights(parts, [100, 200, 400])
    assert first.options == {"class_weights": [2.0, 1.0, 0.5], "label_smoothing": 0.1}
    assert (first.name, first.weight) == ("cross_entropy", 2.0)
    assert others == parts[1:]
