"""Tests of coordinate reference systems: names, transformations, full turns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from geoseg.errors import GridMismatch
from geoseg.grid.crs import crs_name, find_turns, full_turn, make_transformer

GRADS = CRS("EPSG:4807")
"""Longitudes in grads, 400 to a turn."""


def test_a_crs_is_called_by_its_code_where_it_has_one() -> None:
    assert crs_name(CRS(2056)) == "EPSG:2056"
    assert crs_name(CRS('LOCAL_CS["works",UNIT["metre",1]]')) == "works"
    assert crs_name(None) == "no CRS"


LOCAL = CRS('LOCAL_CS["site grid",UNIT["metre",1]]')
LOCAL_WITH_HEIGHT = CRS(
    'COMPD_CS["site and height",' + LOCAL.to_wkt("WKT1_GDAL") + "," + CRS(5703).to_wkt("WKT1_GDAL") + "]"
)


def test_a_transformer_has_longitude_first() -> None:
    x, y = make_transformer(CRS("EPSG:4326"), CRS("EPSG:32633")).transform(15.0, 0.0)
    assert (x, y) == pytest.approx((500_000, 0))


@pytest.mark.parametrize("local", [LOCAL, LOCAL_WITH_HEIGHT], ids=["site grid", "with heights"])
def test_a_site_grid_is_transformed_to_itself_only(local) -> None:
    assert make_transformer(local, local).transform(3.0, 4.0) == (3.0, 4.0)
    for pair in ((local, CRS(4326)), (CRS(32633), local)):
        with pytest.raises(GridMismatch, match=f"{local.name} is a local grid"):
            make_transformer(*pair)


def test_a_crs_of_the_moon_is_not_transformed_to_the_earth() -> None:
    with pytest.raises(GridMismatch, match="PROJ knows no operation"):
        make_transformer(CRS("ESRI:104903"), CRS(4326))


@pytest.mark.parametrize(("crs", "turn"), [(CRS("EPSG:4326"), 360), (GRADS, 400)])
def test_a_full_turn_is_in_the_unit_of_the_crs(crs, turn) -> None:
    assert full_turn(crs) == turn


@given(
    st.sampled_from([CRS("EPSG:4326"), GRADS]),
    st.lists(st.tuples(st.integers(-900, 900), st.integers(1, 500)), min_size=1, max_size=4),
    st.integers(-900, 900),
    st.integers(1, 900),
)
def test_ranges_overlap_after_the_turns_found_and_after_no_others(crs, ranges, left, width) -> None:
    west, size = np.array(ranges, float).T
    first, last = find_turns(full_turn(crs), west, west + size, left=left, right=left + width)
    for k in range(-9, 10):
        shifted = west + k * full_turn(crs)
        overlaps = (shifted < left + width) & (shifted + size > left)
        assert np.array_equal(overlaps, (first <= k) & (k <= last))


def test_longitudes_that_are_not_numbers_need_no_turns() -> None:
    first, last = find_turns(full_turn(GRADS), np.array([np.nan]), np.array([np.nan]), left=0, right=400)
    assert not (first <= last).any()
