"""Compute the content of each report section, which a template then renders."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._text import percent
from geoseg.evaluation.report.charts import line_chart
from geoseg.evaluation.report.render import Bar, Cell, ClassName, PageSection, View, render_section
from geoseg.evaluation.report.run_data import RunData
from geoseg.evaluation.tables import MEANS, extra_tables
from geoseg.legend import LegendEntry
from geoseg.metrics.bootstrap import CONFIDENCE_LEVEL
from geoseg.metrics.scores import CLASS_SCORES
from geoseg.plotting.images import ErrorColours

Runs = Sequence[RunData]

TILES = {
    "overall_accuracy": "overall accuracy (aAcc)",
    "mean_f1": "mean F1 (same as mean Dice)",
    "mean_accuracy": "mean class accuracy (mAcc)",
    "kappa": "Cohen's kappa (agreement beyond chance)",
}
"""Captions of the tiles that follow the mean IoU."""
CURVE_NAMES = {"loss": "training loss", "mean_iou": "validation mean IoU in percent", "learning_rate": "learning rate"}
"""Axis labels of the training curves."""
STAGES = {"trained": "training", "judged": "evaluation"}
"""Displayed text for each stage prefix of the names in :attr:`RunData.environment`."""


def render_sections(runs: Runs) -> list[PageSection]:
    """Render all sections of a report; a section without content is empty."""
    common = {"run_names": [run.name for run in runs], "is_single": len(runs) == 1}
    sections = []
    for name, (template, make_view) in SECTIONS.items():
        view = make_view(runs)
        sections.append(render_section(name, template, None if view is None else common | view))
    return sections


def summary_view(runs: Runs) -> View:
    """Return the scores of one run as tiles, or those of several runs as a table, with their protocols."""
    protocols = {run.evaluation.protocol.name: run.evaluation.protocol for run in runs}
    return {
        "tiles": _score_tiles(runs[0]) if len(runs) == 1 else [],
        "mean_iou": _mean_iou_bar(runs[0], 0, text=""),
        "header": ["run", *MEANS, "ECE", "evaluated on"],
        "rows": [_summary_row(run, n) for n, run in enumerate(runs)],
        "notes": [(run.name, run.evaluation.notes) for run in runs if run.evaluation.notes],
        "protocols": protocols.values(),
        "has_interval": any(run.evaluation.intervals(run.evaluation.protocol) for run in runs),
        "level": f"{100 * CONFIDENCE_LEVEL:.0f}",
    }


def classes_view(runs: Runs) -> View:
    """Return the IoU of each class as one bar per run; for a single run, also the other scores."""
    first = runs[0].evaluation
    excluded = set(first.protocol.excluded_classes)
    entries = {entry.name: entry for run in reversed(runs) for entry in run.evaluation.legend.entries}
    names = [*first.legend.names, *(name for name in entries if name not in first.legend.names)]
    return {
        "header": ["class", "IoU", *(["F1", "precision", "recall"] if len(runs) == 1 else []), "pixels"],
        "rows": [*(_class_row(runs, entries[name], excluded) for name in names), _mean_row(runs)],
        "excluded": ", ".join(sorted(excluded)),
    }


def protocols_view(runs: Runs) -> View | None:
    """Return the scores of the same predictions under every protocol; None if there is only one protocol."""
    return _extra_tables_view(runs, ["protocols"])


def domains_view(runs: Runs) -> View | None:
    """Return the IoU of each class in each domain; None if no run has more than one domain."""
    shown = [run for run in runs if run.evaluation.domains]
    return {"runs": [(run.name, *_domain_table(run)) for run in shown]} if shown else None


def confusion_view(runs: Runs) -> View:
    """Return the confusion matrix of each run, as percentages of each row."""
    return {"runs": [(run.name, *_confusion_table(run)) for run in runs]}


def borders_view(runs: Runs) -> View | None:
    """Return the tables of boundary and object scores; None if neither was counted."""
    return _extra_tables_view(runs, ["borders", "objects"])


def worst_crops_view(runs: Runs) -> View | None:
    """Return the crops with the most errors."""
    return _crops_view([(run, run.gallery.worst) for run in runs])


def best_crops_view(runs: Runs) -> View | None:
    """Return the crops with the fewest errors."""
    return _crops_view([(run, run.gallery.best) for run in runs])


def maps_view(runs: Runs) -> View | None:
    """Return whole scenes with their errors."""
    shown = [(run.name, _error_keys(run), run.gallery.scenes) for run in runs if run.gallery.scenes]
    return {"runs": shown} if shown else None


def scenes_view(runs: Runs) -> View:
    """Return one row per scene with a bar per run, lowest mean IoU first."""
    by_run = [run.evaluation.counts_by_scene(run.evaluation.protocol) for run in runs]
    scores = [{name: (m.mean_iou, m.overall_accuracy, m.in_reference.sum()) for name, m in t.items()} for t in by_run]
    names = sorted(scores[0], key=lambda name: _nan_last(scores[0][name][0]))
    rows: list[list[Cell]] = []
    for name in names:
        values = [each.get(name, (math.nan, math.nan, 0)) for each in scores]
        bars: list[Cell] = [_bars([value[k] for value in values]) for k in (0, 1)]
        rows.append([name, *bars, f"{int(values[0][2]):,}"])
    return {"header": ["scene", "mean IoU of present classes", "overall accuracy", "labeled pixels"], "rows": rows}


def calibration_view(runs: Runs) -> View | None:
    """Return the accuracy as a function of confidence; None if there is no confidence."""
    series = {}
    for run in runs:
        calibration = run.evaluation.calibration
        if calibration is not None and calibration.pixels:
            _, confidence, accuracy = calibration.bins()
            points = list(zip(confidence.tolist(), accuracy.tolist(), strict=True))
            series[f"{run.name}: ECE {100 * calibration.error():.2f}%"] = points
    if not series:
        return None
    chart = line_chart(
        series, x="confidence", y="accuracy",
        x_range=(0, 1), y_range=(0, 1), diagonal=True, dots=True, label="calibration",
    )  # fmt: skip
    return {"chart": chart, "series": list(series)}


def training_view(runs: Runs) -> View | None:
    """Return the training curves; None if nothing was logged."""
    charts = []
    for name, label in CURVE_NAMES.items():
        series = {run.name: run.curves[name] for run in runs if name in run.curves}
        if series:
            if name == "mean_iou":
                series = {run: [(x, 100 * y) for x, y in points] for run, points in series.items()}
            charts.append(line_chart(series, x="iteration", y=label, dots=name == "mean_iou"))
    return {"charts": charts} if charts else None


def provenance_view(runs: Runs) -> View:
    """Return the recipe, environment and prediction options of each run."""
    return {
        "runs": [(run.name, [*_about_lines(run), *_environment_lines(run)], run.recipe) for run in runs],
    }


SECTIONS: dict[str, tuple[str, Callable[[Runs], View | None]]] = {
    "Summary": ("summary.html.j2", summary_view),
    "Classes": ("classes.html.j2", classes_view),
    "Protocols": ("protocols.html.j2", protocols_view),
    "Domains": ("domains.html.j2", domains_view),
    "Confusion": ("confusion.html.j2", confusion_view),
    "Boundaries and objects": ("borders.html.j2", borders_view),
    "Most wrong crops": ("crops.html.j2", worst_crops_view),
    "Least wrong crops": ("crops.html.j2", best_crops_view),
    "Maps": ("maps.html.j2", maps_view),
    "Scenes": ("scenes.html.j2", scenes_view),
    "Calibration": ("calibration.html.j2", calibration_view),
    "Training": ("training.html.j2", training_view),
    "Recipe and environment": ("provenance.html.j2", provenance_view),
}
"""Template and view function of each section, keyed by its heading, in page order."""


def _score_tiles(run: RunData) -> list[tuple[str, str]]:
    """Return the number and caption of each tile, starting with the mean IoU."""
    evaluation = run.evaluation
    scores = evaluation.scores(evaluation.protocol)
    interval = evaluation.intervals(evaluation.protocol).get("mean_iou")
    between = "" if interval is None else f", {percent(interval[0])} to {percent(interval[1])}"
    tiles = [(percent(scores["mean_iou"]), f"mean IoU{between}")]
    tiles += [(percent(scores[name]), text) for name, text in TILES.items()]
    if evaluation.calibration is not None and evaluation.calibration.pixels:
        tiles.append((percent(evaluation.calibration.error()), "expected calibration error (ECE), lower is better"))
    return tiles


def _summary_row(run: RunData, number: int) -> list[Cell]:
    evaluation = run.evaluation
    scores = evaluation.scores(evaluation.protocol)
    ece = evaluation.calibration.error() if evaluation.calibration is not None else math.nan
    others = [percent(scores[key]) for name, key in MEANS.items() if name != "mIoU"]
    about = evaluation.about
    data = ", ".join(str(about.get(key)) for key in ("data", "split") if about.get(key)) or about.get("masks", "")
    mean_iou = _mean_iou_bar(run, number, text=percent(scores["mean_iou"]))
    return [run.name, mean_iou, *others, percent(ece), f"{data} ({evaluation.protocol.name})"]


def _mean_iou_bar(run: RunData, number: int, *, text: str) -> Bar:
    evaluation = run.evaluation
    mean_iou = evaluation.scores(evaluation.protocol)["mean_iou"]
    return Bar(mean_iou, text, number, evaluation.intervals(evaluation.protocol).get("mean_iou"))


def _class_row(runs: Runs, entry: LegendEntry, excluded: set[str]) -> list[Cell]:
    name = f"({entry.name})" if entry.name in excluded else entry.name
    first = runs[0].evaluation.total
    iou = [_value_of_class(run, entry.name, run.evaluation.total.iou()) for run in runs]
    others: list[Cell] = []
    if len(runs) == 1:
        others = [percent(float(CLASS_SCORES[key](first)[entry.index])) for key in ("f1", "precision", "recall")]
    pixels = _value_of_class(runs[0], entry.name, first.in_reference)
    return [ClassName(name, entry.hex), _bars(iou), *others, "–" if math.isnan(pixels) else f"{int(pixels):,}"]


def _value_of_class(run: RunData, name: str, values: NDArray[Any]) -> float:
    """Return the value of a class by name, since legends may differ between runs; NaN if the run has no such class."""
    names = run.evaluation.legend.names
    return float(values[names.index(name)]) if name in names else math.nan


def _mean_row(runs: Runs) -> list[Cell]:
    scores = [run.evaluation.scores(run.evaluation.protocol) for run in runs]
    others = [percent(scores[0][f"mean_{key}"]) for key in ("f1", "precision", "recall")] if len(runs) == 1 else []
    return [
        "mean",
        _bars([s["mean_iou"] for s in scores]),
        *others,
        f"{runs[0].evaluation.total.in_reference.sum():,}",
    ]


def _domain_table(run: RunData) -> tuple[list[str], list[list[Cell]]]:
    """Return the header and the rows, with one bar per class and domain."""
    evaluation, domains = run.evaluation, run.evaluation.domains
    iou = [evaluation.counts(evaluation.protocol, domain).iou() for domain in domains]
    rows: list[list[Cell]] = [
        [entry.name, *_bars([float(each[entry.index]) for each in iou])] for entry in evaluation.legend.entries
    ]
    means = [evaluation.scores(evaluation.protocol, domain)["mean_iou"] for domain in domains]
    return ["IoU", *domains], [*rows, ["mean", *_bars(means)]]


def _confusion_table(run: RunData) -> tuple[list[str], list[tuple[str, list[tuple[float, bool]]]]]:
    """Return the header, and each row's name and cells: the fraction of the row, and whether it is on the diagonal."""
    counts, names = run.evaluation.total, run.evaluation.legend.names
    columns = counts.counts if not counts.missed.any() else np.column_stack([counts.counts, counts.missed])
    header = ["", *names, *(["not predicted"] if counts.missed.any() else [])]
    rows = []
    for index, name in enumerate(names):
        total = int(counts.in_reference[index])
        shares = [int(count) / total if total else math.nan for count in columns[index]]
        rows.append((name, [(share, column == index) for column, share in enumerate(shares)]))
    return header, rows


def _extra_tables_view(runs: Runs, kinds: Sequence[str]) -> View | None:
    shown = []
    for run in runs:
        tables = extra_tables(run.evaluation)
        filled = [(tables[kind][0], tables[kind][1:]) for kind in kinds if len(tables[kind]) > 1]
        if filled:
            shown.append((run.name, filled))
    return {"runs": shown} if shown else None


def _crops_view(crops: list[tuple[RunData, Any]]) -> View | None:
    shown = [(run.name, run.evaluation.legend.entries, _error_keys(run), each) for run, each in crops if each]
    return {"runs": shown} if shown else None


def _error_keys(run: RunData) -> list[tuple[str, str]]:
    """Return the color (``#rrggbb``) and meaning of the marks in a run's error maps."""
    colours = ErrorColours.for_legend(run.evaluation.legend)
    return [
        ("#{:02x}{:02x}{:02x}".format(*colours.wrong), "wrong"),
        ("#{:02x}{:02x}{:02x}".format(*colours.not_predicted), "not predicted"),
    ]


def _about_lines(run: RunData) -> Iterator[tuple[str, str]]:
    """Yield the name and text of each entry in the evaluation's provenance."""
    for name, value in run.evaluation.about.items():
        if isinstance(value, dict):
            yield f"evaluation: {name}", ", ".join(f"{key} {each}" for key, each in value.items())
        elif value not in ("", None, False):
            yield f"evaluation: {name.replace('_', ' ')}", str(value)


def _environment_lines(run: RunData) -> Iterator[tuple[str, str]]:
    """Yield (name, text) pairs that describe the model's provenance and the software used for the evaluation."""
    for name, value in run.environment.items():
        stage, colon, rest = name.partition(": ")
        yield f"{STAGES.get(stage, stage)}{colon}{rest}", value


def _bars(values: Sequence[float]) -> list[Bar]:
    """Return one bar per run or domain."""
    return [Bar(value, percent(value), n) for n, value in enumerate(values)]


def _nan_last(value: float) -> float:
    return math.inf if math.isnan(value) else value
