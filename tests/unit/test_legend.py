"""Legends: class index, name and colour, there and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import legends, masks

from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX, Legend, LegendEntry, default_colour, make_numbered_legend, parse_colour


@given(legends())
def test_a_legend_survives_being_written_as_json(legend) -> None:
    assert Legend.from_json(legend.to_json()) == legend


def test_a_written_legend_in_another_order_is_refused() -> None:
    with pytest.raises(ConfigError, match="class indices are"):
        Legend.from_json(
            '[{"index": 1, "name": "b", "colour": "#000001"}, {"index": 0, "name": "a", "colour": "#000002"}]'
        )


@given(legends())
def test_names_and_indices_lead_to_each_other(legend) -> None:
    assert [legend.index_of(name) for name in legend.names] == list(range(len(legend)))


@given(legends(), st.randoms())
def test_mapping_there_and_back_is_the_identity_on_shared_names(legend, random) -> None:
    shared = random.sample(legend.names, k=random.randint(1, len(legend)))
    other = Legend.of(dict.fromkeys(shared))
    there, back = legend.mapping_to(other), other.mapping_to(legend)
    for index, name in enumerate(legend.names):
        assert back[there[index]] == (index if name in shared else IGNORE_INDEX)


@given(legends())
def test_values_that_are_no_class_are_mapped_to_nothing(legend) -> None:
    assert (legend.mapping_to(legend)[len(legend) :] == IGNORE_INDEX).all()


@given(legends(most=6), st.data())
def test_a_drawn_mask_shows_each_pixel_in_the_colour_of_its_class(legend, data) -> None:
    mask = data.draw(masks(len(legend)))
    drawn = legend.draw(mask)
    colours = {entry.index: entry.colour for entry in legend.entries} | {IGNORE_INDEX: (0, 0, 0)}
    assert np.array_equal(drawn, [[colours[value] for value in row] for row in mask.tolist()])


@given(legends())
def test_only_classes_are_opaque(legend) -> None:
    assert legend.colour_table()[:, 3].tolist() == [255] * len(legend) + [0] * (256 - len(legend))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_a_colour_is_the_same_in_both_spellings(colour) -> None:
    entry = LegendEntry(0, "a", colour)
    assert (
        parse_colour(entry.hex) == parse_colour(list(colour)) == parse_colour(entry.hex.upper().lstrip("#")) == colour
    )


@pytest.mark.parametrize(
    "wrong", ["red", "#12345", "#1234567", [1, 2], [1] * 4, [0, 0, 256], [-1, 0, 0], 7, [None] * 3]
)
def test_what_is_no_colour_is_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="invalid colour"):
        parse_colour(wrong)


def test_default_colours_are_never_black_and_never_the_same_twice() -> None:
    colours = [default_colour(index) for index in range(IGNORE_INDEX)]
    assert len(set(colours)) == IGNORE_INDEX
    assert all(0 <= part <= 255 for colour in colours for part in colour)
    assert min(max(colour) for colour in colours) > 60


def test_classes_without_a_colour_get_one() -> None:
    legend = Legend.of({"road": "#6EC1E4", "land": None})
    assert legend.entries[0].hex == "#6ec1e4"
    assert legend.entries[1].colour == default_colour(1)


def test_the_legend_of_a_bare_mask_names_classes_by_their_values() -> None:
    assert make_numbered_legend([0, 3]).names == ("0", "1", "2", "3")
    assert make_numbered_legend([]).names == ("0",)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "1 to 255 classes, got 0"),
        ([LegendEntry(1, "a", (0, 0, 0))], r"class indices are \[1\]"),
        ([LegendEntry(0, "a", (0, 0, 0)), LegendEntry(1, "a", (1, 0, 0))], "two classes have the name a"),
        ([LegendEntry(0, "a", (0, 0, 9)), LegendEntry(1, "b", (0, 0, 9))], "two classes have the colour #000009"),
    ],
)
def test_a_legend_that_contradicts_itself_is_refused(entries, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Legend(tuple(entries))


def test_more_classes_than_an_index_can_count_are_refused() -> None:
    with pytest.raises(ConfigError, match="got 256"):
        make_numbered_legend(range(256))


def test_an_unknown_class_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no class 'bulding'") as error:
        Legend.of({"building": None, "road": None}).index_of("bulding")
    assert error.value.hint == "did you mean building?"


def test_a_written_legend_can_be_read_by_others() -> None:
    rows = json.loads(Legend.of({"road": [255, 0, 16]}).to_json())
    assert rows == [{"index": 0, "name": "road", "colour": "#ff0010"}]


HOSTILE_LEGENDS = {
    "list that does not end": "[",
    "no list": "{}",
    "null": "null",
    "nested lists": "[" * 100_000,
    "nested and closed lists": "[" * 100_000 + "]" * 100_000,
    "name null": '[{"index": 0, "name": null, "colour": "#000000"}]',
    "name list": '[{"index": 0, "name": [], "colour": "#000000"}]',
    "surrogate": '[{"index": 0, "name": "\\ud800", "colour": "#000000"}]',
    "escape sequence": '[{"index": 0, "name": "a\\u001b[31m", "colour": "#000000"}]',
    "nul": '[{"index": 0, "name": "a\\u0000", "colour": "#000000"}]',
    "empty name": '[{"index": 0, "name": " ", "colour": "#000000"}]',
    "huge name": json.dumps([{"index": 0, "name": "x" * 5_000_000, "colour": "#000000"}]),
    "infinite index": '[{"index": 1e400, "name": "a", "colour": "#000000"}]',
    "index that is no integer": '[{"index": 0.0, "name": "a", "colour": "#000000"}]',
    "number of 6000 digits": '[{"index": 0, "name": ' + "9" * 6000 + ', "colour": "#000000"}]',
    "infinite colour": '[{"index": 0, "name": "a", "colour": [1e400, 0, 0]}]',
    "colour null": '[{"index": 0, "name": "a", "colour": null}]',
}


@pytest.mark.parametrize("case", HOSTILE_LEGENDS)
def test_a_text_that_is_no_legend_is_refused_in_a_short_sentence(case) -> None:
    with pytest.raises(ConfigError) as error:
        Legend.from_json(HOSTILE_LEGENDS[case])
    assert len(error.value.message) < 200
    assert error.value.hint


def test_a_name_that_is_a_number_becomes_text() -> None:
    legend = Legend.from_json('[{"index": 0, "name": 5, "colour": "#000000"}]')
    assert legend.names == ("5",)
    assert legend.index_of("5") == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
rows = st.fixed_dictionaries({"index": st.just(0) | json_values, "name": json_values, "colour": json_values})


@given(st.lists(rows, max_size=2) | json_values)
def test_any_json_is_a_legend_of_text_or_refused(content) -> None:
    try:
        legend = Legend.from_json(json.dumps(content))
    except ConfigError:
        return
    assert all(isinstance(name, str) for name in legend.names)
    assert Legend.from_json(legend.to_json()) == legend
