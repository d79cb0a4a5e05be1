"""Bytes of products against what numpy and scipy make of the same scores."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geoseg.grid.window import Window
from geoseg.inference.encode_outputs import SHARE_FUNCTIONS, class_index, confidence, encode_outputs, entropy
from geoseg.inference.tile_pipeline import ScoreStrip
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.output_bands import SHARE_STEPS, SHARES

ALL = ("mask", "probabilities", "confidence", "entropy")


@st.composite
def strips_of(draw, least=1):
    """A strip of probabilities times any factor of a pixel, and the probabilities."""
    classes = draw(st.integers(least, 7))
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=5))
    logits = draw(hnp.arrays(np.float32, (classes, *shape), elements=st.floats(-30, 30, width=32)))
    valid = draw(hnp.arrays(np.bool_, shape))
    probabilities = torch.from_numpy(logits).softmax(0)
    factor = draw(hnp.arrays(np.float32, shape, elements=st.floats(0.125, 4, width=32)))
    return ScoreStrip(
        Window(0, 0, *shape), probabilities * torch.from_numpy(factor), valid
    ), probabilities.double().numpy()


def shares_of(scores):
    return scores / scores.sum(dim=0)


@given(strips_of())
def test_shares_are_those_of_numpy_and_scipy_to_half_a_step(case):
    strip, probabilities = case
    found = encode_outputs(strip, ALL, shares_of)
    classes = len(probabilities)
    expected = {
        "probabilities": probabilities,
        "confidence": probabilities.max(axis=0)[np.newaxis],
        "entropy": scipy.stats.entropy(probabilities, base=max(classes, 2), axis=0)[np.newaxis],
    }
    for name, right in expected.items():
        assert found[name].shape == right.shape
        np.testing.assert_array_equal(found[name] == IGNORE_INDEX, np.broadcast_to(~strip.valid, right.shape))
        assert (np.abs(found[name] / SHARE_STEPS - right)[:, strip.valid] <= 0.5 / SHARE_STEPS + 1e-5).all()


@given(strips_of())
def test_the_mask_is_the_largest_score_and_confidence_is_its_probability(case):
    strip, _ = case
    found = encode_outputs(strip, ALL, shares_of)
    np.testing.assert_array_equal(found["mask"], class_index(strip.scores, strip.valid)[np.newaxis])
    own = np.take_along_axis(found["probabilities"], np.where(strip.valid, found["mask"], 0), axis=0)
    np.testing.assert_array_equal(own, found["confidence"])


@given(strips_of())
def test_probabilities_add_up_to_254_but_for_rounding(case):
    strip, probabilities = case
    total = encode_outputs(strip, ALL, shares_of)["probabilities"].astype(int).sum(axis=0)[strip.valid]
    assert (np.abs(total - SHARE_STEPS) <= len(probabilities) / 2).all()


@pytest.mark.parametrize("name", ["probabilities", "confidence", "entropy"])
def test_only_what_is_asked_for_is_made(name):
    strip = ScoreStrip(Window(0, 0, 2, 2), torch.ones(3, 2, 2), np.ones((2, 2), np.bool_))
    assert set(encode_outputs(strip, ("mask", name), shares_of)) == {"mask", name}
    asked = []
    assert set(encode_outputs(strip, ("mask",), asked.append)) == {"mask"}
    assert asked == [], "a mask alone needs no probabilities"


def test_every_share_is_made_somewhere():
    assert set(SHARE_FUNCTIONS) == set(SHARES)


def test_entropy_is_0_for_the_certain_and_1_for_those_who_know_nothing():
    probabilities = torch.tensor([[1, 0.25, 0.5], [0, 0.25, 0.5], [0, 0.25, 0], [0, 0.25, 0]])[:, None]
    torch.testing.assert_close(entropy(probabilities), torch.tensor([[[0, 1, 0.5]]]))
    assert confidence(probabilities).tolist() == [[[1, 0.25, 0.5]]]
    assert entropy(torch.ones(1, 1, 2)).tolist() == [[[0, 0]]], "with one class there is no doubt"
