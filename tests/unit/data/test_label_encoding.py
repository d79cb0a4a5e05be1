"""Encodings: what numbers, colours and attributes in label files stand for."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import legends

from geoseg.data.label_encoding import build_encoding, guess_kind
from geoseg.errors import ConfigError, GeosegError
from geoseg.legend import IGNORE_INDEX, Legend

LEGEND = Legend.of({"land": "#00ff00", "water": "#0000ff", "road": "#808080"})


@given(legends())
def test_without_options_classes_are_written_as_they_are_called(legend) -> None:
    indices = range(len(legend))
    assert build_encoding(legend, "colour").colours == {entry.colour: entry.index for entry in legend.entries}
    assert build_encoding(legend, "index").values == {index: index for index in indices} | {255: IGNORE_INDEX}
    assert build_encoding(legend, "polygon", column="kind").values == dict(zip(legend.names, indices, strict=True))


def test_values_stand_for_classes_instead_of_what_they_are_called() -> None:
    made = build_encoding(LEGEND, "index", values={"land": [1, 5], "water": [2], "road": [9]}, ignore=[0])
    assert made.values == {1: 0, 5: 0, 2: 1, 9: 2, 0: IGNORE_INDEX, 255: IGNORE_INDEX}


def test_colours_too_may_be_listed_class_by_class() -> None:
    made = build_encoding(LEGEND, "colour", values={"water": ["#000080", [0, 0, 9]]}, ignore=["#000000"])
    assert made.colours == {
        (0, 255, 0): 0, (0, 0, 128): 1, (0, 0, 9): 1, (128, 128, 128): 2, (0, 0, 0): IGNORE_INDEX,
    }  # fmt: skip


def test_attributes_may_be_numbers_or_words() -> None:
    made = build_encoding(LEGEND, "polygon", column="code", values={"land": ["L", 7]}, ignore=["?"])
    assert made.values == {"L": 0, 7: 0, "water": 1, "road": 2, "?": IGNORE_INDEX}


def test_polygons_without_attribute_are_of_the_last_class_and_lie_on_nothing() -> None:
    made = build_encoding(LEGEND, "polygon")
    assert (made.polygon_class, made.background) == (2, IGNORE_INDEX)
    made = build_encoding(LEGEND, "polygon", polygon_class="water", background="land")
    assert (made.polygon_class, made.background) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("index", {"values": {"land": [1]}}),  # 1 is still water's own
        ("index", {"values": {"land": [7], "water": [7]}}),
        ("index", {"ignore": [0]}),
        ("colour", {"ignore": ["#808080"]}),
        ("polygon", {"values": {"land": ["road"]}}),
    ],
)
def test_what_stands_for_two_things_is_refused(kind, options) -> None:
    with pytest.raises(ConfigError, match="in label files has two meanings"):
        build_encoding(LEGEND, kind, **options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("index", {"ignore": ["#000000"]}, "'#000000' is not an integer"),
        ("index", {"values": {"land": [1.5]}}, "1.5 is not an integer"),
        ("colour", {"ignore": [0]}, "invalid colour 0"),
        ("colour", {"values": {"land": ["green"]}}, "invalid colour 'green'"),
        ("index", {"values": {"lnad": [1]}}, "data.values names 'lnad', which is not in the legend"),
        ("polygon", {"polygon_class": "lake"}, "no class 'lake'"),
        ("polygon", {"background": "lake"}, "no class 'lake'"),
    ],
)
def test_what_fits_no_label_file_is_refused_in_a_sentence(kind, options, message) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        build_encoding(LEGEND, kind, **options)
    assert error.value.hint


@given(st.sampled_from([".gpkg", ".GeoJSON", ".shp"]), st.integers(0, 4), st.booleans())
def test_vector_files_are_polygons_whatever_else(suffix, bands, palette) -> None:
    assert guess_kind(Path(f"labels{suffix}"), bands, has_palette=palette) == "polygon"


def test_rasters_are_colours_if_they_have_some() -> None:
    kinds = [
        guess_kind(Path("a.tif"), bands, has_palette=p) for bands, p in [(3, False), (4, False), (1, True), (1, False)]
    ]
    assert kinds == ["colour", "colour", "colour", "index"]


def test_priorities_are_class_indices_and_need_a_column() -> None:
    legend = Legend.of(["land", "water", "road"])
    assert build_encoding(legend, "polygon", column="kind", priority=["road", "land"]).priority == (2, 0)
    for options in ({"priority": ["road"]}, {"column": "kind", "priority": ["road", "road"]}):
        with pytest.raises(ConfigError, match="priority"):
            build_encoding(legend, "polygon", **options)
    with pytest.raises(GeosegError, match="rod"):
        build_encoding(legend, "polygon", column="kind", priority=["rod"])
