"""Lay out the charts and bars of a report; templates draw them as SVG in the colors of the page's style sheet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 250
"""Size of a chart in SVG units."""
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 12, 40
"""Margins around the plot area for ticks and axis labels."""
SERIES_COLOURS = 6
"""Number of series colors in the style sheet."""

Points = Sequence[tuple[float, float]]
"""Points (x, y)."""
Range = tuple[float, float]
"""Lowest and highest value of an axis."""


@dataclass(frozen=True)
class Bar:
    """A number with a horizontal bar, shown in a table cell."""

    share: float
    """Length of the bar, 0 to 1; NaN for no bar."""
    text: str
    """The number as text."""
    series: int = 0
    """Index of the run, which determines the color."""
    interval: Range | None = None
    """Confidence interval of the number, drawn as a thin line."""

    @property
    def is_known(self) -> bool:
        """True if the number is not NaN."""
        return not math.isnan(self.share)

    @property
    def width(self) -> str:
        """Length of the bar in percent."""
        return f"{100 * min(max(self.share, 0), 1):.1f}"

    @property
    def colour(self) -> int:
        """Index of the color in the style sheet."""
        return self.series % SERIES_COLOURS


@dataclass(frozen=True)
class Tick:
    """A labeled position on an axis."""

    position: float
    """Position in SVG units."""
    label: str
    """The value as text."""


@dataclass(frozen=True)
class ChartLine:
    """A polyline with optional dots."""

    css: str
    """CSS classes of the line."""
    points: Points
    """Positions (x, y) in SVG units."""
    dot_css: str = ""
    """CSS classes of the dots; empty for no dots."""

    @property
    def path(self) -> str:
        """The positions as an SVG attribute."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    """A line chart, laid out in SVG units."""

    x: str
    """Label of the horizontal axis."""
    y: str
    """Label of the vertical axis."""
    label: str
    """Description for screen readers."""
    names: tuple[str, ...]
    """Names of the series."""
    x_ticks: tuple[Tick, ...]
    """Ticks of the horizontal axis."""
    y_ticks: tuple[Tick, ...]
    """Ticks of the vertical axis."""
    lines: tuple[ChartLine, ...]
    """Lines in drawing order."""


def choose_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` round numbers from low to high, in steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [step * number for number in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    series: Mapping[str, Points], *, x: str, y: str, y_range: Range | None = None, x_range: Range | None = None,
    diagonal: bool = False, dots: bool = False, label: str = "",
) -> Chart | None:  # fmt: skip
    """Lay out a line chart with one line per series.

    Args:
        series: Points keyed by the name of the series; points that are not finite are skipped.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        y_range: Range of the vertical axis; by default, that of the points.
        x_range: Range of the horizontal axis; by default, that of the points.
        diagonal: Draw the line where x equals y.
        dots: Draw a dot at each point; a series with a single point always has one.
        label: Description for screen readers; by default, the label of the vertical axis.

    Returns:
        The chart; None if there are no points.
    """
    known = {name: [point for point in points if all(map(math.isfinite, point))] for name, points in series.items()}
    every = [point for points in known.values() for point in points]
    if not every:
        return None
    frame = _Frame(x_range or _range([px for px, _ in every]), y_range or _range([py for _, py in every]))
    lines = (
        [ChartLine("diagonal", frame.place([(frame.x[0], frame.x[0]), (frame.x[1], frame.x[1])]))] if diagonal else []
    )
    for number, points in enumerate(known.values()):
        css = f"run-{number % SERIES_COLOURS}"
        lines.append(ChartLine(f"line {css}", frame.place(points), f"dot {css}" if dots or len(points) == 1 else ""))
    x_ticks = tuple(Tick(frame.place([(value, 0)])[0][0], _format(value)) for value in choose_ticks(*frame.x))
    y_ticks = tuple(Tick(frame.place([(0, value)])[0][1], _format(value)) for value in choose_ticks(*frame.y))
    return Chart(x, y, label or y, tuple(series), x_ticks, y_ticks, tuple(lines))


def histogram(
    series: Mapping[str, Sequence[float]], edges: Sequence[float], *, x: str, y: str = "share"
) -> Chart | None:
    """Lay out a histogram with one stepped line of bin fractions per series; ``edges`` contains all bin edges."""
    points = {}
    for name, shares in series.items():
        pairs = zip(shares, edges[:-1], edges[1:], strict=True)
        points[name] = [(edge, share) for share, low, high in pairs for edge in (low, high)]
    highest = max((max(shares, default=0) for shares in series.values()), default=0)
    return line_chart(points, x=x, y=y, y_range=(0, highest * 1.05 or 1), x_range=(edges[0], edges[-1]), label=x)


@dataclass(frozen=True)
class _Frame:
    """The value ranges of both axes."""

    x: Range
    y: Range

    def place(self, points: Points) -> Points:
        """Map values to positions in SVG units."""
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        x_span, y_span = (self.x[1] - self.x[0]) or 1, (self.y[1] - self.y[0]) or 1
        return [
            (LEFT + (px - self.x[0]) / x_span * width, HEIGHT - BOTTOM - (py - self.y[0]) / y_span * height)
            for px, py in points
        ]


def _range(values: Sequence[float]) -> Range:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _format(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:.4g}k"
    return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.0e}".replace("e-0", "e-")
