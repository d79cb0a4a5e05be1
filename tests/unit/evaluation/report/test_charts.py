"""Charts are SVG that a page can contain: its own colours and font, text as text, numbers at their places."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.evaluation.report.charts import PLACEHOLDERS, SIZE, Chart, histogram, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def parse(chart: Chart | None) -> ET.Element:
    assert chart is not None
    return ET.fromstring(str(chart.svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def lines(svg: ET.Element, number: int) -> list[np.ndarray]:
    """The positions of the paths in the colour of a series, axes (point, xy), in SVG units, y downwards."""
    paths = [each for each in svg.iter(f"{SVG}path") if f"stroke: var(--run-{number})" in each.get("style", "")]
    found = [np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", each.get("d", "")), float) for each in paths]
    return [each for each in found if len(each) > 1]


def texts(svg: ET.Element) -> list[str]:
    return [each.text or "" for each in svg.iter(f"{SVG}text")]


def test_points_lie_where_their_values_are():
    svg = parse(line_chart({"a": [(0, 0), (5, 1), (10, 4)]}, x="x", y="y", x_range=(0, 10), y_range=(0, 4)))
    ((left, bottom), middle, (right, top)) = lines(svg, 0)[0]
    assert middle == pytest.approx([(left + right) / 2, bottom + (top - bottom) / 4], abs=0.01)
    assert 0 < left < right < SIZE[0]
    assert 0 < top < bottom < SIZE[1]


def test_each_series_has_its_colour_and_colours_are_those_of_the_page():
    svg = parse(line_chart({"a": [(0, 1), (1, 2)], "b": [(0, 2), (1, 3)]}, x="x", y="y", diagonal=True))
    assert [len(lines(svg, number)) for number in (0, 1, 2)] == [1, 1, 0]
    styles = " ".join(each.get("style", "") for each in svg.iter())
    assert not re.findall(r"#(?!000000)[0-9a-f]{6}", styles)
    assert "font:" not in styles
    assert not [each for each in PLACEHOLDERS if each in styles]


def test_values_that_are_not_finite_are_left_out_and_nothing_to_draw_is_no_chart():
    nan = float("nan")
    svg = parse(line_chart({"a": [(0, 1), (1, nan), (2, 3)]}, x="x", y="y"))
    assert len(lines(svg, 0)[0]) == 2
    assert line_chart({"a": [(0, nan)]}, x="x", y="y") is None
    assert line_chart({}, x="x", y="y") is None
    assert histogram({}, [0, 1], x="x") is None


def test_a_single_point_is_a_dot():
    svg = parse(line_chart({"a": [(3, 4)]}, x="x", y="y"))
    assert [each for each in svg.iter(f"{SVG}use") if "var(--run-0)" in each.get("style", "")]


@given(st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=12).map(str.strip).filter(bool))
def test_any_band_name_is_shown_as_it_is(name):
    svg = parse(histogram({"a": [0.5, 0.5]}, [0, 1, 2], x=name, y="fraction of pixels"))
    assert name in texts(svg)
    assert svg.get("aria-label") == name


@pytest.mark.parametrize("name", ["$a$", "$\\frac{", "<b>", "a & b", '"', "C:\\data\\B04", "a\\1b"])
def test_dollars_and_markup_in_a_band_name_are_text(name):
    assert name in texts(parse(line_chart({"a": [(0, 1), (1, 2)]}, x=name, y="y")))


def test_a_histogram_has_one_step_per_bin():
    svg = parse(histogram({"a": [0.2, 0.5, 0.3]}, [0, 1, 2, 4], x="x"))
    line = lines(svg, 0)[0]
    assert {len(np.unique(line[:, axis].round(2))) for axis in (0, 1)} == {4}
    widths = np.unique(line[:, 0].round(2))
    assert (widths[3] - widths[2]) == pytest.approx(2 * (widths[1] - widths[0]), rel=0.01)


def test_equal_charts_are_equal_and_have_no_identifiers_that_a_page_would_repeat():
    one, two = (line_chart({"a": [(0, 1), (1, 2)]}, x="x", y="y") for _ in range(2))
    assert one == two
    assert '<g id="' not in str(one.svg if one else "")


def test_settings_of_the_user_change_nothing():
    one = line_chart({"a": [(0, 1), (1, 2)]}, x="x", y="y")
    with mpl.rc_context({"text.usetex": True, "savefig.bbox": "tight", "lines.linestyle": ":"}):
        assert line_chart({"a": [(0, 1), (1, 2)]}, x="x", y="y") == one
