"""Shares as bytes: right to half a step, and nodata where they mean nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.output_bands import SHARE_STEPS, SHARES, encode_shares, make_output

LEGEND = Legend.of({"ground": None, "roof": None, "road": None})


@st.composite
def shares(draw, dtype):
    """Shares (band, row, col) and their validity (row, col)."""
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))
    numbers = st.floats(0, 1, width=np.dtype(dtype).itemsize * 8)
    return draw(hnp.arrays(dtype, shape, elements=numbers)), draw(hnp.arrays(np.bool_, shape[1:]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_come_back_to_half_a_step_and_nodata_is_only_where_they_are_not_valid(dtype):
    @given(shares(dtype))
    def law(case):
        values, valid = case
        kept = encode_shares(values, valid)
        assert kept.dtype == np.uint8
        np.testing.assert_array_equal(kept == IGNORE_INDEX, np.broadcast_to(~valid, kept.shape))
        assert (np.abs(kept / SHARE_STEPS - values)[:, valid] <= 1 / 508 + 1e-6).all()

    law()


def test_what_is_not_valid_may_be_no_number():
    kept = encode_shares(
        np.array([[[np.nan, 0.5, np.inf, 1.0000001]]], np.float32), np.array([[False, True, False, True]])
    )
    assert kept.tolist() == [[[255, 127, 255, 254]]]


@pytest.mark.parametrize(
    ("name", "bands"),
    [
        ("mask", ("class",)),
        ("probabilities", ("ground", "roof", "road")),
        ("confidence", ("confidence",)),
        ("entropy", ("entropy",)),
    ],
)
def test_products_have_bands_with_names(name, bands):
    product = make_output(name, LEGEND)
    assert (product.name, product.bands, product.is_mask) == (name, bands, name == "mask")
    assert (name in SHARES) is not product.is_mask
