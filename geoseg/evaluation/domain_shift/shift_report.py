"""The page of a domain gap: what differs between source and target, in pictures."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg._files import check_writable
from geoseg.evaluation.domain_shift.domain_profile import Look
from geoseg.evaluation.domain_shift.measure_shift import Gap, gap_json, mean_level
from geoseg.evaluation.report.charts import bar, histogram, legend_of, lines
from geoseg.evaluation.report.html import Child, Html, document, html_table, joined, picture_tag, tag
from geoseg.evaluation.tables import percent
from geoseg.evaluation.write_scores import write_text

BINS = 51
"""Bins of the histograms of bands and of what was counted in 255 steps."""


def gap_page(gap: Gap) -> str:
    """The whole page."""
    sections = [
        ("Summary", _summary(gap)),
        ("Pixels", _pixels(gap)),
        ("Confidence", _confidence(gap)),
        ("Classes", _classes(gap)),
        ("Features", _features(gap)),
        ("Samples", _samples(gap)),
    ]
    return document(f"{gap.target.name} against {_source(gap)}", _lead(gap), sections)


def _looks(gap: Gap) -> list[Look]:
    """Source and target, or the target alone."""
    return [look for look in (gap.source, gap.target) if look is not None]


def _source(gap: Gap) -> str:
    return "what the model learnt from" if gap.source is None else gap.source.name


def _lead(gap: Gap) -> Html:
    windows = " and ".join(f"{look.windows} windows of {look.name}" for look in _looks(gap))
    return tag("p", f"Seen: {windows}. No label was looked at.", class_="quiet")


def _summary(gap: Gap) -> Html:
    """A tile per kind of difference, 0 standing for none."""
    tiles = [_tile(_farthest(gap), "largest difference of a band, in standard deviations of the source")]
    if gap.prior_shift is not None:
        tiles.append(_tile(f"{100 * gap.prior_shift:.1f} %", "of all pixels would have to change their class"))
    looks = [look for look in _looks(gap) if look.probability is not None]
    if looks:
        sure = " → ".join(f"{100 * mean_level(look.confidence):.1f}" for look in looks)
        tiles.append(_tile(sure, "mean confidence in percent" + (", source and target" if len(looks) > 1 else "")))
    if looks and all(look.norms for look in looks):
        apart = " → ".join(f"{_mean(look.norms):.2f}" for look in looks)
        tiles.append(_tile(apart, "distance of features from training, in standard deviations"))
    return joined(tag("div", *tiles, class_="tiles"), tag("p", *_verdict(gap)))


def _verdict(gap: Gap) -> list[Child]:
    """What the numbers say, in words."""
    said: list[Child] = [_band_verdict(gap)]
    source = gap.source
    if source is None or source.probability is None or gap.card is None:
        return said
    less = mean_level(source.confidence) - mean_level(gap.target.confidence)
    said.append(f"The model is {abs(100 * less):.1f} points {'less' if less > 0 else 'more'} sure there. ")
    before, after = 100 * source.shares, 100 * gap.target.shares
    index = int(np.abs(after - before).argmax())
    said.append(f"It sees {after[index]:.1f} % {gap.card.legend.names[index]} instead of {before[index]:.1f} %. ")
    if source.norms and gap.target.norms:
        times = _mean(gap.target.norms) / max(_mean(source.norms), 1e-9)
        said.append(f"Its features lie {times:.1f} times as far from training as those of the source.")
    return said


def _band_verdict(gap: Gap) -> str:
    band = max(gap.bands, key=lambda each: abs(each.shift) if each.distance is None else each.distance)
    direction = "brighter" if band.shift > 0 else "darker"
    said = f"The band {band.name} differs most: on average it is {abs(band.shift):.2f} standard deviations {direction}"
    return f"{said}. " if band.distance is None else f"{said}, and its pixels lie {band.distance:.2f} apart. "


def _pixels(gap: Gap) -> Html:
    """Distributions of each band, and what sums them up."""
    header: list[Child] = ["band", "source: mean", "deviation", "target: mean", "deviation", "shift", "distance"]
    rows: list[list[Child]] = [
        [b.name, *(f"{x:.4g}" for x in (b.source_mean, b.source_std, b.target_mean, b.target_std)), f"{b.shift:+.2f}",
         "–" if b.distance is None else f"{b.distance:.2f}"]
        for b in gap.bands
    ]  # fmt: skip
    charts = [_band_chart(gap, index) for index in range(len(gap.bands))]
    words = tag("p", "Shift: difference of the means. Distance: how far pixels would have to move on average (Wasserstein). "
                "Both in standard deviations of the source.", class_="quiet")  # fmt: skip
    return joined(html_table(header, rows), words, tag("div", *charts, class_="beside"))


def _band_chart(gap: Gap, index: int) -> Html:
    samples = {look.name: look.sample[:, index] for look in _looks(gap)}
    low, high = (np.quantile(np.concatenate([*samples.values()]), share) for share in (0.002, 0.998))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    shares = {name: _shares(np.histogram(sample, edges)[0]) for name, sample in samples.items()}
    return histogram(shares, edges.tolist(), x=gap.bands[index].name, y="share of pixels")


def _confidence(gap: Gap) -> Html:
    """How sure the model is, and how undecided."""
    looks = [look for look in _looks(gap) if look.probability is not None]
    if not looks:
        return Html("")
    edges = np.linspace(0, 1, BINS + 1).tolist()
    sure = {look.name: _binned(look.confidence) for look in looks}
    undecided = {look.name: _binned(look.entropy) for look in looks}
    charts = (
        histogram(sure, edges, x="probability of the predicted class", y="share of pixels"),
        histogram(undecided, edges, x="entropy: 0 is decided, 1 knows nothing", y="share of pixels"),
    )
    return tag("div", *charts, class_="beside")


def _classes(gap: Gap) -> Html:
    """Expected shares of the classes."""
    looks = [look for look in _looks(gap) if look.probability is not None]
    if not looks or gap.card is None:
        return Html("")
    rows: list[list[Child]] = []
    for entry in gap.card.legend.entries:
        shares = [float(look.shares[entry.index]) for look in looks]
        swatch = tag("i", class_="swatch", style=f"background:{entry.hex}")
        bars = tag("div", *(bar(s, percent(s), run=n) for n, s in enumerate(shares)), class_="stack")
        rows.append([joined(swatch, entry.name), bars])
    lead = tag("p", "How much of each class the model expects, in percent: the mean of its probabilities.")
    return joined(lead, legend_of([look.name for look in looks]), html_table(["class", "share"], rows))


def _features(gap: Gap) -> Html:
    """Distance of the norms' statistics from those of training, layer by layer."""
    series = {look.name: list(enumerate(map(float, look.norms.values()))) for look in _looks(gap) if look.norms}
    if not series:
        return Html("")
    words = tag(
        "p", "What batch normalisation sees in each layer, from the image to the classes, beside what it saw in training: "
        "0 is the same, 1 is a standard deviation off. Images the model learnt from lie lowest.",
    )  # fmt: skip
    highest = max(y for each in series.values() for _, y in each)
    chart = lines(series, x="layer", y="distance", y_range=(0, 1.05 * highest))
    return tag("div", chart, tag("div", words), class_="beside")


def _samples(gap: Gap) -> Html:
    """Windows of either side to look at."""
    rows = [
        tag(
            "div",
            tag("h3", look.name),
            tag("div", *(picture_tag(p, look.name) for p in look.pictures), class_="samples"),
        )
        for look in _looks(gap)
    ]
    return joined(*rows)


def _farthest(gap: Gap) -> str:
    return f"{max(abs(b.shift) if b.distance is None else b.distance for b in gap.bands):.2f}"


def _tile(number: str, words: str) -> Html:
    return tag("div", tag("b", number), tag("span", words), class_="tile")


def _binned(counts: NDArray[np.int64]) -> list[float]:
    """Shares in bins of five steps each."""
    return _shares(counts.reshape(BINS, -1).sum(axis=1))


def _shares(counts: NDArray[np.int64]) -> list[float]:
    shares: list[float] = (counts / max(int(counts.sum()), 1)).tolist()
    return shares


def _mean(distances: Mapping[str, float]) -> float:
    return float(np.mean(list(distances.values()))) if distances else math.nan


def write_gap(gap: Gap, output: str | Path) -> Path:
    """Writes the page, and JSON of the same name beside it; what is there is replaced."""
    page = Path(output)
    write_text(page.with_suffix(".json"), json.dumps(gap_json(gap), indent=1) + "\n")
    write_text(page, gap_page(gap))
    return page


def check_gap(output: str | Path, *, overwrite: bool) -> None:
    """:class:`OutputError` now, if the page could not be written after all the work."""
    for path in (Path(output), Path(output).with_suffix(".json")):
        check_writable(path, overwrite)
