"""Texts of messages and tables."""

import pytest

from geoseg._text import align_columns, join_names, merge_notes, percent


@pytest.mark.parametrize(
    ("limit", "text"), [(None, "a, b, c"), (3, "a, b, c"), (2, "a, b and 1 more"), (1, "a and 2 more")]
)
def test_names_after_the_limit_are_counted(limit, text) -> None:
    assert join_names("abc", limit=limit) == text


def test_no_names_are_no_text() -> None:
    assert join_names([]) == ""


def test_percent_has_two_decimals_or_a_dash() -> None:
    assert [percent(share) for share in (0, 1, 0.5, 0.123456, float("nan"))] == [
        "0.00",
        "100.00",
        "50.00",
        "12.35",
        "-",
    ]


def test_columns_are_aligned_left_or_right() -> None:
    rows = [["class", "IoU"], ["road", "7.00"], ["low vegetation", "-"]]
    assert align_columns(rows, [False, True]) == [
        "class            IoU",
        "road            7.00",
        "low vegetation     -",
    ]


def test_notes_that_differ_only_in_numbers_are_merged() -> None:
    notes = [
        ["a1.gpkg: left out 2 points", "b.gpkg: repaired 1 polygon"],
        ["a1.gpkg: left out 1 point", "a2.gpkg: left out 1 point"],
        ["a1.gpkg: left out 2 points", "a1.gpkg: left out 1,000 points"],
        [],
        ["b.gpkg: repaired 1 polygon"],
        ["a2.gpkg: left out 1 polygon outside EPSG:32632", "a2.gpkg: left out 1 polygon outside EPSG:32633"],
    ]
    assert merge_notes(notes) == [
        "a1.gpkg: left out 2 points (other numbers for 2 other scenes)",
        "b.gpkg: repaired 1 polygon",
        "a2.gpkg: left out 1 point",
        "a2.gpkg: left out 1 polygon outside EPSG:32632",
        "a2.gpkg: left out 1 polygon outside EPSG:32633",
    ]
