"""What stands on top of a report: its numbers with their protocol, and the same predictions under all others."""

import math
from collections.abc import Sequence

from geoseg.evaluation.protocols import Protocol
from geoseg.evaluation.report.charts import bar
from geoseg.evaluation.report.html import Child, Html, html_table, joined, tag, under_name
from geoseg.evaluation.report.run_data import Reported
from geoseg.evaluation.tables import MEANS, further_rows, percent
from geoseg.metrics.bootstrap import LEVEL

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
    return joined(lead, *(under_name(name, _worded(rows), alone=len(runs) == 1) for name, rows in shown))


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
