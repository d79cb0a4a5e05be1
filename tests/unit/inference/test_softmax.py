"""Softmax in place gives torch's probabilities, whatever pieces it is reckoned in."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.inference import softmax
from geoseg.inference.softmax import softmax_

sides = st.integers(1, 40)


@given(st.integers(1, 3), st.integers(1, 8), sides, sides, st.integers(0, 2**31), st.integers(1, 4000))
def test_it_is_torchs(batch, classes, height, width, seed, cached) -> None:
    logits = 20 * torch.randn(batch, classes, height, width, generator=torch.Generator().manual_seed(seed))
    expected = logits.softmax(dim=1)
    before, softmax.CACHED = softmax.CACHED, cached
    try:
        found = softmax_(logits)
    finally:
        softmax.CACHED = before
    assert found is logits
    assert torch.allclose(found, expected, rtol=1e-6, atol=1e-7)
    assert torch.allclose(found.sum(dim=1), torch.ones(()), atol=1e-5)


def test_whole_tiles_are_torchs_to_the_bit() -> None:
    logits = 4 * torch.randn(2, 6, 512, 512, generator=torch.Generator().manual_seed(0))
    assert torch.equal(softmax_(logits.clone()), logits.softmax(dim=1))


def test_empty_batches_stay_empty() -> None:
    assert softmax_(torch.zeros(0, 3, 4, 5)).shape == (0, 3, 4, 5)


def test_other_devices_do_it_at_once() -> None:
    logits = torch.zeros(2, 3, 4, 5, device="meta")
    assert softmax_(logits) is logits
