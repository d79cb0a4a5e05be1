"""What a report shows, section by section; each gives nothing where there is nothing to show."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.evaluation.report.charts import bar, legend_of
from geoseg.evaluation.report.html import Child, Html, html_table, joined, tag, under_name
from geoseg.evaluation.report.run_data import Reported
from geoseg.evaluation.tables import further_rows, percent
from geoseg.legend import LegendEntry
from geoseg.metrics.scores import CLASS_SCORES

Runs = Sequence[Reported]


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
    return joined(*(under_name(run.name, _domains(run), alone=len(runs) == 1) for run in shown))


def confusion_section(runs: Runs) -> Html:
    """Which class is taken for which."""
    lead = tag("p", "Each row is a class as it is, each column what it was taken for, in percent of the row.")
    matrices = [under_name(run.name, _matrix(run), alone=len(runs) == 1) for run in runs]
    return joined(lead, tag("div", *matrices, class_="beside" if len(runs) > 1 else None))


def borders_section(runs: Runs) -> Html:
    """Borders and objects, where they were counted."""
    shown = []
    for run in runs:
        rows = further_rows(run.evaluation)
        tables = [_plain(rows[name]) for name in ("borders", "objects") if len(rows[name]) > 1]
        if tables:
            shown.append(under_name(run.name, joined(*tables), alone=len(runs) == 1))
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


def _plain(rows: list[list[str]]) -> Html:
    return html_table([*rows[0]], [[*row] for row in rows[1:]])


def _number(value: float) -> float:
    return math.inf if math.isnan(value) else value
