"""Charts as SVG, in colours that the page's style gives, so that they are light in the light and dark in the dark."""

import math
from collections.abc import Mapping, Sequence

from geoseg.evaluation.report.html import Html, joined, tag

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 20, 12, 40
"""Room around the plot for ticks and names."""
Points = Sequence[tuple[float, float]]
Range = tuple[float, float]


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from low to high: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [step * number for number in range(first, math.floor(high / step + 1e-9) + 1)]


def lines(
    series: Mapping[str, Points], *, x: str, y: str, y_range: Range | None = None, x_range: Range | None = None,
    diagonal: bool = False, dots: bool = False, label: str = "",
) -> Html:  # fmt: skip
    """Lines through points (x, y), a colour for each name; ``diagonal`` draws where x is y, ``dots`` each point."""
    points = [point for each in series.values() for point in each if all(map(math.isfinite, point))]
    if not points:
        return Html("")
    xs, ys = x_range or _range([p[0] for p in points]), y_range or _range([p[1] for p in points])
    frame = _Frame(xs, ys)
    drawn = [frame.axes(x, y)]
    if diagonal:
        drawn.append(frame.path([(xs[0], xs[0]), (xs[1], xs[1])], "diagonal"))
    for number, each in enumerate(series.values()):
        known = [point for point in each if all(map(math.isfinite, point))]
        drawn.append(frame.path(known, f"line run-{number % 6}"))
        if dots or len(known) == 1:
            drawn += [frame.dot(point, f"dot run-{number % 6}") for point in known]
    return _chart(drawn, label or y, list(series))


def histogram(series: Mapping[str, Sequence[float]], edges: Sequence[float], *, x: str, y: str = "share") -> Html:
    """Shares of bins as steps, one outline per name."""
    points = {}
    for name, shares in series.items():
        pairs = zip(shares, edges[:-1], edges[1:], strict=True)
        points[name] = [(edge, share) for share, low, high in pairs for edge in (low, high)]
    highest = max((max(shares, default=0) for shares in series.values()), default=0)
    return lines(points, x=x, y=y, y_range=(0, highest * 1.05 or 1), x_range=(edges[0], edges[-1]), label=x)


def bar(share: float, text: str, *, run: int = 0, low: float | None = None, high: float | None = None) -> Html:
    """A number with a bar behind it, 0 … 1; a thin line from ``low`` to ``high`` says how sure it is."""
    if math.isnan(share):
        return tag("span", tag("span", class_="track"), tag("span", "–", class_="number"), class_="bar")
    fill = tag("span", class_=f"fill run-{run % 6}", style=f"width:{100 * min(max(share, 0), 1):.1f}%")
    sure = None
    if low is not None and high is not None:
        sure = tag("span", class_="sure", style=f"left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%")
    return tag("span", tag("span", fill, sure, class_="track"), tag("span", text, class_="number"), class_="bar")


def legend_of(names: Sequence[str]) -> Html | None:
    """What each colour stands for; nothing for a single one."""
    if len(names) < 2:
        return None
    keys = [tag("span", tag("i", class_=f"key run-{n % 6}"), name) for n, name in enumerate(names)]
    return tag("p", *keys, class_="keys")


class _Frame:
    """The plot's rectangle and what lies where in it."""

    def __init__(self, xs: Range, ys: Range) -> None:
        self.xs, self.ys = xs, ys

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        x = (point[0] - self.xs[0]) / ((self.xs[1] - self.xs[0]) or 1)
        y = (point[1] - self.ys[0]) / ((self.ys[1] - self.ys[0]) or 1)
        return LEFT + x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)

    def path(self, points: Points, kind: str) -> Html:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self.at, points))
        return tag("polyline", points=places, class_=kind)

    def dot(self, point: tuple[float, float], kind: str) -> Html:
        x, y = self.at(point)
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3", class_=kind)

    def axes(self, x: str, y: str) -> Html:
        drawn = []
        for value in ticks(*self.ys):
            _, place = self.at((self.xs[0], value))
            drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{place:.1f}", y2=f"{place:.1f}", class_="rule"))
            drawn.append(tag("text", _number(value), x=LEFT - 6, y=f"{place + 4:.1f}", class_="tick end"))
        for value in ticks(*self.xs):
            place, _ = self.at((value, self.ys[0]))
            drawn.append(tag("text", _number(value), x=f"{place:.1f}", y=HEIGHT - BOTTOM + 16, class_="tick middle"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        drawn.append(tag("text", x, x=middle, y=HEIGHT - 6, class_="tick middle name"))
        upright = f"translate(12 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)"
        return joined(*drawn, tag("text", y, transform=upright, class_="tick middle name"))


def _chart(drawn: Sequence[Html], label: str, names: Sequence[str]) -> Html:
    picture = tag("svg", *drawn, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label)
    return tag("figure", picture, legend_of(names), class_="chart")


def _range(values: Sequence[float]) -> Range:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _number(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:.4g}k"
    return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.0e}".replace("e-0", "e-")
