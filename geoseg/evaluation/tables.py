"""Scores as rows of text: per class, of all classes together, per protocol, per domain, of borders and of objects."""

import math
from collections.abc import Callable

from geoseg.evaluation.protocols import Protocol
from geoseg.evaluation.result import Evaluation
from geoseg.metrics.bootstrap import LEVEL
from geoseg.metrics.confusion_matrix import mean_of
from geoseg.metrics.scores import CLASS_SCORES, summary

COLUMNS = {"IoU": "iou", "F1": "f1", "precision": "precision", "recall": "recall"}
MEANS = {
    "mIoU": "mean_iou",
    "mF1": "mean_f1",
    "mAcc": "mean_accuracy",
    "aAcc": "overall_accuracy",
    "FWIoU": "frequency_weighted_iou",
    "kappa": "kappa",
}
"""Scores of all classes together, as papers call them; mean F1 is mean Dice."""

Rows = list[list[str]]
Style = Callable[[Rows], list[str]]
"""How rows, the first of them the header, become lines."""


def further_rows(evaluation: Evaluation) -> dict[str, Rows]:
    """Tables beside that of the classes, by what they are about; those with a header alone have nothing to say."""
    return {
        "protocols": _protocol_rows(evaluation),
        "domains": _domain_rows(evaluation),
        "borders": _border_rows(evaluation),
        "objects": _object_rows(evaluation),
    }


def class_rows(evaluation: Evaluation, protocol: Protocol) -> Rows:
    """A row per class, and the mean; classes in parentheses are in no mean."""
    counts, left_out = evaluation.counts(protocol), set(protocol.left_out)
    scores = {name: CLASS_SCORES[key](counts) for name, key in COLUMNS.items()}
    rows = [["class", *COLUMNS, "pixels"]]
    for index, name in enumerate(evaluation.legend.names):
        shown = f"({name})" if name in left_out else name
        pixels = _grouped(counts.in_reference[index])
        rows.append([shown, *(percent(score[index]) for score in scores.values()), pixels])
    means = evaluation.scores(protocol)
    mean_cells = [percent(means[f"mean_{key}"]) for key in COLUMNS.values()]
    rows.append(["mean", *mean_cells, _grouped(counts.in_reference.sum())])
    return rows


def overall(evaluation: Evaluation) -> list[str]:
    """Scores of all classes together, mean IoU with how sure it is, and the calibration error."""
    scores = evaluation.scores(evaluation.protocol)
    line = ", ".join(f"{name} {percent(scores[key])}" for name, key in MEANS.items())
    lines = [line]
    interval = evaluation.intervals(evaluation.protocol).get("mean_iou")
    if interval is not None:
        low, high = interval
        scenes = len(evaluation.by_scene(evaluation.protocol))
        lines.append(
            f"mIoU lies between {percent(low)} and {percent(high)} ({100 * LEVEL:.0f} % interval over {scenes} scenes)"
        )
    if evaluation.calibration is not None and evaluation.calibration.pixels:
        lines.append(f"calibration error (ECE) {percent(evaluation.calibration.error())}")
    return lines


def protocol_line(protocol: Protocol) -> str:
    """What stands below every table of numbers."""
    return f"protocol  {protocol.name}: {protocol.text}"


def _protocol_rows(evaluation: Evaluation) -> Rows:
    header = ["protocol", *MEANS, "classes", "what counts"]
    if len(evaluation.protocols) < 2:
        return [header]
    return [header, *(_protocol_row(evaluation, protocol) for protocol in evaluation.protocols)]


def _protocol_row(evaluation: Evaluation, protocol: Protocol) -> list[str]:
    scores = evaluation.scores(protocol)
    classes = len(evaluation.legend) - len(protocol.left_out)
    return [protocol.name, *(percent(scores[key]) for key in MEANS.values()), str(classes), protocol.text]


def _domain_rows(evaluation: Evaluation) -> Rows:
    protocol, names = evaluation.protocol, evaluation.legend.names
    rows = [["IoU", *evaluation.domains, "all"]]
    if not evaluation.domains:
        return rows
    counts = [evaluation.counts(protocol, domain) for domain in (*evaluation.domains, None)]
    rows += [[name, *(percent(each.iou()[i]) for each in counts)] for i, name in enumerate(names)]
    left_out = protocol.left_out_of(evaluation.legend)
    return [*rows, ["mean", *(percent(summary(each, left_out)["mean_iou"]) for each in counts)]]


def scene_rows(evaluation: Evaluation) -> Rows:
    """A row per scene, the lowest mean IoU first."""
    protocol = evaluation.protocol
    left_out = protocol.left_out_of(evaluation.legend)
    scored = [(name, summary(counts, left_out), counts) for name, counts in evaluation.by_scene(protocol).items()]
    scored.sort(key=lambda each: (math.isnan(each[1]["mean_iou"]), each[1]["mean_iou"]))
    rows = [
        [name, *(percent(scores[key]) for key in MEANS.values()), _grouped(counts.in_reference.sum())]
        for name, scores, counts in scored
    ]
    return [["scene", *MEANS, "pixels"], *rows]


def _border_rows(evaluation: Evaluation) -> Rows:
    borders, tolerance_m = evaluation.boundary, evaluation.wishes.boundary_m
    rows = [[f"borders within {tolerance_m:g} m" if tolerance_m else "", "boundary IoU", "F1", "precision", "recall"]]
    if borders is None:
        return rows
    scores = [borders.iou(), borders.f1(), borders.precision(), borders.recall()]
    for index, name in enumerate(evaluation.legend.names):
        rows.append([name, *(percent(score[index]) for score in scores)])
    return [*rows, ["mean", *(percent(mean_of(score)) for score in scores)]]


def _object_rows(evaluation: Evaluation) -> Rows:
    things = evaluation.objects
    rows = [["objects, IoU over one half", "F1", "precision", "recall", "matched", "predicted", "true"]]
    if things is None:
        return rows
    scores = [things.f1(), things.precision(), things.recall()]
    for index in evaluation.wishes.objects:
        numbers = (things.matched, things.predicted, things.reference)
        cells = [*(percent(score[index]) for score in scores), *(_grouped(each[index]) for each in numbers)]
        rows.append([evaluation.legend.names[index], *cells])
    return rows


def percent(value: float) -> str:
    """Two decimals, a dash where undefined."""
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def aligned(rows: Rows) -> list[str]:
    """Columns under each other: words to the left, numbers to the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [i == 0 or any(" " in cell and not cell[0].isdigit() for cell in c[1:]) for i, c in enumerate(columns)]
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, words, strict=True)
        ).rstrip()
        for row in rows
    ]


def markdown_table(rows: Rows) -> list[str]:
    """A table as GitHub and papers' READMEs have it."""
    columns = list(zip(*rows, strict=True))
    words = [i == 0 or any(" " in cell and not cell[0].isdigit() for cell in c[1:]) for i, c in enumerate(columns)]
    rule = ["---" if left else "--:" for left in words]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (rows[0], rule, *rows[1:])]
