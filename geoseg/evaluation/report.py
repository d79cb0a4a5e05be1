"""Scores as a table for people and as JSON for programs."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geoseg.evaluation.evaluation import Evaluation
from geoseg.metrics import ConfusionMatrix
from geoseg.raster.output import output_errors, part_path, remove

COLUMNS = ("IoU", "F1", "precision", "recall")


def table(evaluation: Evaluation) -> str:
    """Scores per class in percent, their means, and the protocol; a dash where a class does not occur."""
    counts = evaluation.total
    scores = [_scores(counts)[name] for name in COLUMNS]
    rows = [["class", *COLUMNS, "pixels"]]
    for index, name in enumerate(evaluation.legend.names):
        pixels = f"{counts.in_reference[index]:,}".replace(",", " ")
        rows.append([name, *(_percent(score[index]) for score in scores), pixels])
    means = [_percent(_mean(score)) for score in scores]
    rows.append(["mean", *means, f"{counts.in_reference.sum():,}".replace(",", " ")])
    lines = _aligned(rows)
    accuracy = f"overall accuracy {_percent(counts.overall_accuracy)}"
    return "\n".join([*lines, "", accuracy, f"protocol  {evaluation.protocol}"])


def to_json(evaluation: Evaluation) -> str:
    """Everything the table says, unrounded, with the counts and the scores of every scene; null where undefined."""
    content = {
        "protocol": evaluation.protocol,
        "classes": list(evaluation.legend.names),
        **_summary(evaluation.total),
        "scenes": {name: _summary(counts) for name, counts in evaluation.scenes.items()},
    }
    return json.dumps(content, indent=1)


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Writes :func:`to_json` to a file, whole or not at all; :class:`OutputError` if that is impossible."""
    part = part_path(path)
    try:
        with output_errors(path):
            part.write_text(to_json(evaluation) + "\n", "utf-8")
            part.replace(path)
    finally:
        remove(part)


def _scores(counts: ConfusionMatrix) -> dict[str, Sequence[float]]:
    named = {"IoU": counts.iou(), "F1": counts.f1(), "precision": counts.precision(), "recall": counts.recall()}
    return {name: [float(value) for value in values] for name, values in named.items()}


def _summary(counts: ConfusionMatrix) -> dict[str, Any]:
    scores = {name.lower(): [_json(value) for value in values] for name, values in _scores(counts).items()}
    return {
        "mean_iou": _json(counts.mean_iou),
        "overall_accuracy": _json(counts.overall_accuracy),
        "per_class": scores,
        "counts": counts.counts.tolist(),
        "missed": counts.missed.tolist(),
    }


def _mean(values: Sequence[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else math.nan


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"


def _json(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
