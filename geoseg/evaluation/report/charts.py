"""Draw the charts of a report with matplotlib, as SVG that uses the colors and fonts of the page's style sheet."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

SIZE = (420, 250)
"""(width, height) of a chart in SVG units."""
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 12, 40
"""Margins around the plot area for ticks and axis labels, in SVG units."""
SERIES_COLOURS = 6
"""Number of series colors in the style sheet."""
FONT_SIZE = 11

Points = Sequence[tuple[float, float]]
"""Points (x, y)."""
Range = tuple[float, float]
"""Lowest and highest value of an axis."""

PLACEHOLDERS = {f"#00f00{number}": f"var(--run-{number})" for number in range(SERIES_COLOURS)}
"""Series colors in matplotlib, and the CSS variables that replace them in the SVG."""
EDGE, QUIET = "#000011", "#000012"
"""The same for grid lines and for text."""


@dataclass(frozen=True)
class Chart:
    """A line chart."""

    svg: Markup
    """The chart as an SVG element."""
    names: tuple[str, ...]
    """Names of the series."""


def line_chart(
    series: Mapping[str, Points], *, x: str, y: str, y_range: Range | None = None, x_range: Range | None = None,
    diagonal: bool = False, dots: bool = False, label: str = "",
) -> Chart | None:  # fmt: skip
    """Draw a line chart with one line per name.

    Args:
        series: Points by name; points that contain NaN are skipped.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        y_range: Range of the vertical axis; by default, that of the points.
        x_range: Range of the horizontal axis; by default, that of the points.
        diagonal: Draw the line where x equals y.
        dots: Draw a dot at each point; single points always have one.
        label: Description for screen readers; by default, the label of the vertical axis.

    Returns:
        The chart; None if there are no points.
    """
    known = {name: [point for point in points if all(map(math.isfinite, point))] for name, points in series.items()}
    if not any(known.values()):
        return None
    with _page_style():
        figure, axes = _make_axes(x, y)
        if diagonal:
            axes.axline((0, 0), slope=1, color=QUIET, linewidth=1, dashes=(4, 4), clip_on=False)
        for number, points in enumerate(known.values()):
            marker = "o" if dots or len(points) == 1 else ""
            values = zip(*points, strict=True) if points else ([], [])
            axes.plot(*values, color=_colour(number), linewidth=2, marker=marker, clip_on=False)
        axes.set_xlim(x_range)
        axes.set_ylim(y_range)
        return Chart(_to_svg(figure, label or y), tuple(series))


def histogram(
    series: Mapping[str, Sequence[float]], edges: Sequence[float], *, x: str, y: str = "share"
) -> Chart | None:
    """Draw a histogram with one step line of bin fractions per name; ``edges`` contains the edges of all bins."""
    if not series:
        return None
    with _page_style():
        figure, axes = _make_axes(x, y)
        for number, shares in enumerate(series.values()):
            axes.stairs(shares, edges, color=_colour(number), linewidth=2, clip_on=False)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.05 * max(max(shares) for shares in series.values()) or 1)
        return Chart(_to_svg(figure, x), tuple(series))


@contextmanager
def _page_style() -> Iterator[None]:
    """Set matplotlib's defaults instead of the user's settings; text stays text, and equal figures give equal bytes."""
    from matplotlib import style  # noqa: PLC0415 - the import takes half a second

    own = {"svg.fonttype": "none", "svg.hashsalt": "geoseg"}
    with style.context(["default", own]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # the browser has other fonts
        yield


def _make_axes(x: str, y: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    width, height = SIZE
    figure = Figure(figsize=(width / 72, height / 72), frameon=False)
    size = (width - LEFT - RIGHT) / width, (height - TOP - BOTTOM) / height
    axes = figure.add_axes((LEFT / width, BOTTOM / height, *size), frame_on=False)
    axes.grid(axis="y", color=EDGE, linewidth=1, clip_on=False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=FONT_SIZE, labelcolor=QUIET)
    for axis, name in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.set_label_text(name, color=QUIET, fontsize=FONT_SIZE, parse_math=False)  # a band name may contain $
    return figure, axes


def _colour(number: int) -> str:
    return list(PLACEHOLDERS)[number % SERIES_COLOURS]


def _to_svg(figure: Any, label: str) -> Markup:
    """Return the figure as an SVG element whose colors and font are those of the page."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    svg = file.getvalue()
    body = re.sub(r"<(metadata|style).*?</\1>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"^<svg[^>]*>", lambda _: _svg_tag(label), body)  # a label may contain backslashes
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # the same in every chart of a page
    body = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", body)
    body = body.replace("xlink:href", "href")
    for colour, variable in (PLACEHOLDERS | {EDGE: "var(--edge)", QUIET: "var(--quiet)"}).items():
        body = body.replace(colour, variable)
    return Markup(body)  # noqa: S704 (matplotlib escapes text)


def _svg_tag(label: str) -> str:
    return f'<svg viewBox="0 0 {SIZE[0]} {SIZE[1]}" role="img" aria-label="{Markup.escape(label)}">'
