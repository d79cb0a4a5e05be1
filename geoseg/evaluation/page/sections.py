"""What a report shows, section by section; each gives nothing where there is nothing to show."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.evaluation.page.charts import bar, legend_of
from geoseg.evaluation.page.html import Child, Html, html_table, joined, tag
from geoseg.evaluation.protocol import Protocol
from geoseg.evaluation.reported import Reported
from geoseg.evaluation.tables import MEANS, further_rows, percent
from geoseg.legend import LegendEntry
from geoseg.metrics.bootstrap import LEVEL
from geoseg.metrics.summary import CLASS_SCORES

Runs = Sequence[Reported]

WORDS = {
    "overall_accuracy": "of all pixels are right (aAcc)",
    "mean_f1": "mean F1, which is mean Dice",
    "mean_accuracy": "mean accuracy of classes (mAcc)",
    "kappa": "kappa: agreement beyond chance",
}
"""What the tiles below the first one say."""


def summary_section(runs: Runs) -> Html:
    """One run as tiles, several as a table; and the protocol, without which numbers say nothing."""
    protocols = {run.evaluation.protocol.name: run.evaluation.protocol for run in runs}
    told = _tiles(runs[0]) if len(runs) == 1 else _beside(runs)
    interval = tag(
        "p",
        f"Thin lines: where mean IoU lies in {100 * LEVEL:.0f} % of all draws of scenes like these.",
        class_="quiet",
    )
    has_interval = any(run.evaluation.intervals(run.evaluation.protocol) for run in runs)
    return joined(told, *map(_protocol, protocols.values()), interval if has_interval else None)


def protocols_section(runs: Runs) -> Html:
    """The same predictions under every protocol that applies."""
    tables = [(run.name, further_rows(run.evaluation)["protocols"]) for run in runs]
    shown = [(name, rows) for name, rows in tables if len(rows) > 1]
    if not shown:
        return Html("")
    lead = tag("p", "One prediction, counted in several ways. Compare numbers only under the same protocol.")
    return joined(lead, *(_named(name, _worded(rows), alone=len(runs) == 1) for name, rows in shown))


def classes_section(runs: Runs) -> Html:
    """IoU of each class as bars, a bar per run, and the other scores beside it."""
    first = runs[0].evaluation
    left_out = set(first.protocol.left_out)
    entries = {entry.name: entry for run in reversed(runs) for entry in run.evaluation.legend.entries}
    known = [*first.legend.names, *(name for name in entries if name not in first.legend.names)]
    rows = [_class_row(runs, entries[name], left_out) for name in known]
    rows.append(_mean_row(runs))
    header: list[Child] = ["class", "IoU", *(["F1", "precision", "recall"] if len(runs) == 1 else []), "pixels"]
    note = tag("p", f"In no mean: {', '.join(sorted(left_out))}.", class_="quiet") if left_out else None
    return joined(legend_of([run.name for run in runs]), html_table(header, rows, sortable=True), note)


def domains_section(runs: Runs) -> Html:
    """IoU of each class in each domain."""
    shown = [run for run in runs if run.evaluation.domains]
    return joined(*(_named(run.name, _domains(run), alone=len(runs) == 1) for run in shown))


def confusion_section(runs: Runs) -> Html:
    """Which class is taken for which."""
    lead = tag("p", "Each row is a class as it is, each column what it was taken for, in percent of the row.")
    matrices = [_named(run.name, _matrix(run), alone=len(runs) == 1) for run in runs]
    return joined(lead, tag("div", *matrices, class_="beside" if len(runs) > 1 else None))


def borders_section(runs: Runs) -> Html:
    """Borders and objects, where they were counted."""
    shown = []
    for run in runs:
        rows = further_rows(run.evaluation)
        tables = [_plain(rows[name]) for name in ("borders", "objects") if len(rows[name]) > 1]
        if tables:
            shown.append(_named(run.name, joined(*tables), alone=len(runs) == 1))
    return joined(*shown)


def scenes_section(runs: Runs) -> Html:
    """A row per scene, worst first; a bar per run."""
    tables = [run.evaluation.by_scene(run.evaluation.protocol) for run in runs]
    scores = [{name: (m.mean_iou, m.overall_accuracy, m.in_reference.sum()) for name, m in t.items()} for t in tables]
    names = sorted(scores[0], key=lambda name: _number(scores[0][name][0]))
    rows: list[list[Child]] = []
    for name in names:
        there = [(n, each.get(name, (math.nan, math.nan, 0))) for n, each in enumerate(scores)]
        bars = [
            tag("div", *(bar(each[k], percent(each[k]), run=n) for n, each in there), class_="stack") for k in (0, 1)
        ]
        rows.append([name, *bars, f"{int(there[0][1][2]):,}".replace(",", "\u202f")])
    header: list[Child] = ["scene", "mean IoU of its classes", "pixels that are right", "labelled pixels"]
    return joined(legend_of([run.name for run in runs]), html_table(header, rows, sortable=True))


def _tiles(run: Reported) -> Html:
    evaluation = run.evaluation
    scores = evaluation.scores(evaluation.protocol)
    low, high = evaluation.intervals(evaluation.protocol).get("mean_iou", (None, None))
    between = "" if low is None or high is None else f", {percent(low)} to {percent(high)}"
    shown = [
        _tile(
            percent(scores["mean_iou"]),
            f"mean IoU{between}",
            "tile first",
            bar(scores["mean_iou"], "", low=low, high=high),
        )
    ]
    shown += [_tile(percent(scores[name]), words) for name, words in WORDS.items()]
    if evaluation.calibration is not None and evaluation.calibration.pixels:
        shown.append(_tile(percent(evaluation.calibration.error()), "calibration error (ECE), less is better"))
    return tag("div", *shown, class_="tiles")


def _tile(number: str, words: str, kind: str = "tile", more: Html | None = None) -> Html:
    return tag("div", tag("b", number), tag("span", words), more, class_=kind)


def _beside(runs: Runs) -> Html:
    """A row per run."""
    rows: list[list[Child]] = []
    for n, run in enumerate(runs):
        evaluation = run.evaluation
        scores = evaluation.scores(evaluation.protocol)
        low, high = evaluation.intervals(evaluation.protocol).get("mean_iou", (None, None))
        first = bar(scores["mean_iou"], percent(scores["mean_iou"]), run=n, low=low, high=high)
        ece = evaluation.calibration.error() if evaluation.calibration is not None else math.nan
        others = [percent(scores[key]) for name, key in MEANS.items() if name != "mIoU"]
        rows.append([run.name, first, *others, percent(ece), _where(run)])
    return html_table(["run", *MEANS, "ECE", "judged on"], rows)


def _where(run: Reported) -> str:
    about = run.evaluation.about
    parts = [str(about.get(key)) for key in ("data", "split") if about.get(key)]
    return f"{', '.join(parts) or about.get('masks', '')} ({run.evaluation.protocol.name})"


def _protocol(protocol: Protocol) -> Html:
    return tag("p", "Protocol ", tag("b", protocol.name), f": {protocol.text}.", class_="protocol")


def _named(name: str, body: Html, *, alone: bool) -> Html:
    """The body under a run's name, unless there is only one run."""
    return body if alone else tag("div", tag("h3", name), body)


def _class_row(runs: Runs, entry: LegendEntry, left_out: set[str]) -> list[Child]:
    name = f"({entry.name})" if entry.name in left_out else entry.name
    swatch = tag("i", class_="swatch", style=f"background:{entry.hex}")
    first = runs[0].evaluation.total
    iou = [_of_class(run, entry.name, run.evaluation.total.iou()) for run in runs]
    bars = tag("div", *(bar(value, percent(value), run=n) for n, value in enumerate(iou)), class_="stack")
    others: list[Child] = []
    if len(runs) == 1:
        others = [percent(float(CLASS_SCORES[key](first)[entry.index])) for key in ("f1", "precision", "recall")]
    pixels = _of_class(runs[0], entry.name, first.in_reference)
    shown = "–" if math.isnan(pixels) else f"{int(pixels):,}".replace(",", "\u202f")
    return [joined(swatch, name), bars, *others, shown]


def _of_class(run: Reported, name: str, values: NDArray[Any]) -> float:
    """The value of a class by its name: runs may have learnt other classes, or in another order. NaN if it has none."""
    names = run.evaluation.legend.names
    return float(values[names.index(name)]) if name in names else math.nan


def _mean_row(runs: Runs) -> list[Child]:
    scores = [run.evaluation.scores(run.evaluation.protocol) for run in runs]
    bars = tag(
        "div", *(bar(s["mean_iou"], percent(s["mean_iou"]), run=n) for n, s in enumerate(scores)), class_="stack"
    )
    others = [percent(scores[0][f"mean_{key}"]) for key in ("f1", "precision", "recall")] if len(runs) == 1 else []
    pixels = int(runs[0].evaluation.total.in_reference.sum())
    return ["mean", bars, *others, f"{pixels:,}".replace(",", "\u202f")]


def _domains(run: Reported) -> Html:
    evaluation, names = run.evaluation, run.evaluation.domains
    counts = {domain: evaluation.counts(evaluation.protocol, domain).iou() for domain in names}
    rows: list[list[Child]] = []
    for entry in evaluation.legend.entries:
        bars = [
            bar(float(counts[d][entry.index]), percent(float(counts[d][entry.index])), run=n)
            for n, d in enumerate(names)
        ]
        rows.append([entry.name, *bars])
    means = [evaluation.scores(evaluation.protocol, domain)["mean_iou"] for domain in names]
    rows.append(["mean", *(bar(mean, percent(mean), run=n) for n, mean in enumerate(means))])
    return html_table(["IoU", *names], rows)


def _matrix(run: Reported) -> Html:
    evaluation = run.evaluation
    counts, names = evaluation.total, evaluation.legend.names
    columns = counts.counts if not counts.missed.any() else np.column_stack([counts.counts, counts.missed])
    header: list[Child] = ["", *names, *(["not predicted"] if counts.missed.any() else [])]
    body = []
    for index, name in enumerate(names):
        total = int(counts.in_reference[index])
        cells = [_cell(int(c) / total if total else math.nan, right=i == index) for i, c in enumerate(columns[index])]
        body.append(tag("tr", tag("th", name, scope="row"), *cells))
    broken = [cell.replace("_", "_\u200b") for cell in map(str, header)]  # long names may go on in the next line
    head = tag("thead", tag("tr", *(tag("th", cell) for cell in broken)))
    return tag("div", tag("table", head, tag("tbody", *body), class_="matrix"), class_="wide")


def _cell(share: float, *, right: bool) -> Html:
    """Blue where it is right, red where it is not, the stronger the more pixels."""
    if math.isnan(share):
        return tag("td", "–")
    text = f"{100 * share:.1f}" if share >= 0.0005 else "·"
    colour = "--heat" if right else "--wrong"
    strength = 0.08 + 0.62 * share if right else 0.85 * share
    return tag("td", text, style=f"background:rgba(var({colour}),{strength:.2f})")


def _worded(rows: list[list[str]]) -> Html:
    """A table whose last column is a sentence."""
    head = tag("thead", tag("tr", *(tag("th", cell) for cell in rows[0])))
    body = [
        tag(
            "tr", tag("th", row[0], scope="row"), *(tag("td", c) for c in row[1:-1]), tag("td", row[-1], class_="words")
        )
        for row in rows[1:]
    ]
    return tag("div", tag("table", head, tag("tbody", *body)), class_="wide")


def _plain(rows: list[list[str]]) -> Html:
    return html_table([*rows[0]], [[*row] for row in rows[1:]])


def _number(value: float) -> float:
    return math.inf if math.isnan(value) else value
