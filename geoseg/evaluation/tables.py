"""Build the rows of score tables: per class, protocol, domain and scene, and for boundaries and objects."""

import math
from collections.abc import Callable, Sequence

from geoseg._text import align_columns, percent
from geoseg.evaluation.protocols import Protocol
from geoseg.evaluation.result import Evaluation
from geoseg.metrics.bootstrap import CONFIDENCE_LEVEL
from geoseg.metrics.confusion_matrix import nanmean
from geoseg.metrics.scores import CLASS_SCORES, summarize_scores

CLASS_COLUMNS = {"IoU": "iou", "F1": "f1", "precision": "precision", "recall": "recall"}
"""Scores per class, keyed by column header."""
MEANS = {
    "mIoU": "mean_iou",
    "mF1": "mean_f1",
    "mAcc": "mean_accuracy",
    "aAcc": "overall_accuracy",
    "FWIoU": "frequency_weighted_iou",
    "kappa": "kappa",
}
"""Scores over all classes, keyed by their usual names in papers. Mean F1 is the same as mean Dice."""

Rows = list[list[str]]
"""Cells of a table; the first row is the header."""
TableStyle = Callable[[Rows], list[str]]
"""Function that formats rows as lines of text."""


def extra_tables(evaluation: Evaluation) -> dict[str, Rows]:
    """Return all tables except the class table, keyed by subject; an empty table has only a header."""
    return {
        "protocols": _protocol_rows(evaluation),
        "domains": _domain_rows(evaluation),
        "borders": _boundary_rows(evaluation),
        "objects": _object_rows(evaluation),
    }


def class_rows(evaluation: Evaluation, protocol: Protocol) -> Rows:
    """Return one row per class, and a row of means; classes in parentheses are excluded from all means."""
    counts, excluded = evaluation.counts(protocol), set(protocol.excluded_classes)
    scores = {name: CLASS_SCORES[key](counts) for name, key in CLASS_COLUMNS.items()}
    rows = [["class", *CLASS_COLUMNS, "pixels"]]
    for index, name in enumerate(evaluation.legend.names):
        label = f"({name})" if name in excluded else name
        rows.append([label, *(percent(score[index]) for score in scores.values()), f"{counts.in_reference[index]:,}"])
    means = evaluation.scores(protocol)
    mean_cells = [percent(means[f"mean_{key}"]) for key in CLASS_COLUMNS.values()]
    rows.append(["mean", *mean_cells, f"{counts.in_reference.sum():,}"])
    return rows


def overall_lines(evaluation: Evaluation) -> list[str]:
    """Return lines with the scores over all classes, the interval of the mean IoU and the calibration error."""
    scores = evaluation.scores(evaluation.protocol)
    lines = [", ".join(f"{name} {percent(scores[key])}" for name, key in MEANS.items())]
    interval = evaluation.intervals(evaluation.protocol).get("mean_iou")
    if interval is not None:
        low, high = interval
        scenes, level = len(evaluation.counts_by_scene(evaluation.protocol)), f"{100 * CONFIDENCE_LEVEL:.0f}%"
        lines.append(f"mIoU {percent(low)} to {percent(high)} ({level} bootstrap interval over {scenes} scenes)")
    if evaluation.calibration is not None and evaluation.calibration.pixels:
        lines.append(f"expected calibration error (ECE) {percent(evaluation.calibration.error())}")
    return lines


def format_protocol(protocol: Protocol) -> str:
    """Return the line, written below the tables, that names the protocol."""
    return f"Protocol {protocol.name}: {protocol.text}"


def scene_rows(evaluation: Evaluation) -> Rows:
    """Return one row per scene, lowest mean IoU first."""
    protocol = evaluation.protocol
    excluded = protocol.excluded_indices(evaluation.legend)
    scored = [
        (name, summarize_scores(counts, excluded), counts)
        for name, counts in evaluation.counts_by_scene(protocol).items()
    ]
    scored.sort(key=lambda each: (math.isnan(each[1]["mean_iou"]), each[1]["mean_iou"]))
    rows = [
        [name, *(percent(scores[key]) for key in MEANS.values()), f"{counts.in_reference.sum():,}"]
        for name, scores, counts in scored
    ]
    return [["scene", *MEANS, "pixels"], *rows]


def format_aligned(rows: Rows) -> list[str]:
    """Format rows as aligned columns: text left-aligned, numbers right-aligned."""
    return align_columns(rows, [not is_text for is_text in _text_columns(rows)])


def format_markdown_table(rows: Rows) -> list[str]:
    """Format rows as a GitHub-flavored Markdown table."""
    rule = ["---" if is_text else "--:" for is_text in _text_columns(rows)]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (rows[0], rule, *rows[1:])]


def _text_columns(rows: Rows) -> Sequence[bool]:
    """Return whether each column contains text; a cell such as ``1 234`` is a number."""
    columns = zip(*rows, strict=True)
    return [i == 0 or any(" " in cell and not cell[0].isdigit() for cell in c[1:]) for i, c in enumerate(columns)]


def _protocol_rows(evaluation: Evaluation) -> Rows:
    header = ["protocol", *MEANS, "classes", "counted"]
    if len(evaluation.protocols) < 2:
        return [header]
    return [header, *(_protocol_row(evaluation, protocol) for protocol in evaluation.protocols)]


def _protocol_row(evaluation: Evaluation, protocol: Protocol) -> list[str]:
    scores = evaluation.scores(protocol)
    classes = len(evaluation.legend) - len(protocol.excluded_classes)
    return [protocol.name, *(percent(scores[key]) for key in MEANS.values()), str(classes), protocol.text]


def _domain_rows(evaluation: Evaluation) -> Rows:
    protocol, names = evaluation.protocol, evaluation.legend.names
    rows = [["IoU", *evaluation.domains, "all"]]
    if not evaluation.domains:
        return rows
    counts = [evaluation.counts(protocol, domain) for domain in (*evaluation.domains, None)]
    rows += [[name, *(percent(each.iou()[i]) for each in counts)] for i, name in enumerate(names)]
    excluded = protocol.excluded_indices(evaluation.legend)
    return [*rows, ["mean", *(percent(summarize_scores(each, excluded)["mean_iou"]) for each in counts)]]


def _boundary_rows(evaluation: Evaluation) -> Rows:
    boundary, tolerance_m = evaluation.boundary, evaluation.options.boundary_m
    rows = [
        [f"boundaries within {tolerance_m:g} m" if tolerance_m else "", "boundary IoU", "F1", "precision", "recall"]
    ]
    if boundary is None:
        return rows
    scores = [boundary.iou(), boundary.f1(), boundary.precision(), boundary.recall()]
    for index, name in enumerate(evaluation.legend.names):
        rows.append([name, *(percent(score[index]) for score in scores)])
    return [*rows, ["mean", *(percent(nanmean(score)) for score in scores)]]


def _object_rows(evaluation: Evaluation) -> Rows:
    objects = evaluation.objects
    rows = [["objects matched at IoU > 0.5", "F1", "precision", "recall", "matched", "predicted", "reference"]]
    if objects is None:
        return rows
    scores = [objects.f1(), objects.precision(), objects.recall()]
    for index in evaluation.options.objects:
        numbers = (objects.matched, objects.predicted, objects.reference)
        cells = [*(percent(score[index]) for score in scores), *(f"{each[index]:,}" for each in numbers)]
        rows.append([evaluation.legend.names[index], *cells])
    return rows
