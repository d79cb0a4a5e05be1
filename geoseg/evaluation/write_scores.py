"""Scores as a table for people, as Markdown for papers, and as JSON for programs. No number without its protocol."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geoseg._files import output_errors, part_path, remove
from geoseg.evaluation.protocols import Protocol
from geoseg.evaluation.result import Evaluation
from geoseg.evaluation.tables import (
    Style,
    aligned,
    class_rows,
    further_rows,
    markdown_table,
    overall,
    protocol_line,
    scene_rows,
)
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.confusion_matrix import mean_of
from geoseg.metrics.scores import CLASS_SCORES, summary, zoo_summary


def table(evaluation: Evaluation, *, markdown: bool = False, per_scene: bool = False) -> str:
    """Scores in percent: per class, of all together, under other protocols, per domain; a dash where undefined."""
    style: Style = markdown_table if markdown else aligned
    parts = [
        style(class_rows(evaluation, evaluation.protocol)),
        overall(evaluation),
        *(style(rows) for rows in further_rows(evaluation).values() if len(rows) > 1),
        *([style(scene_rows(evaluation))] if per_scene else []),
        [protocol_line(evaluation.protocol)],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def to_json(evaluation: Evaluation) -> str:
    """Everything the tables say, unrounded, with the counts and the scores of every scene; null where undefined."""
    return json.dumps(to_dict(evaluation), indent=1)


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """What :func:`to_json` writes: the first protocol on top, all of them under ``protocols``."""
    first, *_ = evaluation.protocols
    by_name = {protocol.name: _of_protocol(evaluation, protocol) for protocol in evaluation.protocols}
    return {
        "protocol": f"{first.name}: {first.text}",
        "classes": list(evaluation.legend.names),
        **by_name[first.name],
        "protocols": by_name,
        **_further(evaluation),
        "about": dict(evaluation.about),
    }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Writes :func:`to_json` to a file, whole or not at all; :class:`OutputError` if that is impossible."""
    write_text(path, to_json(evaluation) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a text file that appears whole or not at all; :class:`OutputError` if that is impossible."""
    part = part_path(path)
    try:
        with output_errors(path):
            part.write_text(text, "utf-8")
            part.replace(path)
    finally:
        remove(part)


def _of_protocol(evaluation: Evaluation, protocol: Protocol) -> dict[str, Any]:
    left_out = protocol.left_out_of(evaluation.legend)
    found = {
        "text": protocol.text,
        "left_out": list(protocol.left_out),
        **_summary(evaluation.counts(protocol), left_out),
        "intervals": {name: list(pair) for name, pair in evaluation.intervals(protocol).items()},
        "domains": {name: _summary(evaluation.counts(protocol, name), left_out) for name in evaluation.domains},
        "scenes": {name: _summary(counts, left_out) for name, counts in evaluation.by_scene(protocol).items()},
    }
    if protocol.name == "zoo":
        found["openmmlab"] = {name: _known(score) for name, score in zoo_summary(evaluation.counts(protocol)).items()}
    return found


def _summary(counts: ConfusionMatrix, left_out: Sequence[int]) -> dict[str, Any]:
    return {
        **{name: _known(score) for name, score in summary(counts, left_out).items()},
        "per_class": {name: [_known(value) for value in score(counts)] for name, score in CLASS_SCORES.items()},
        "counts": counts.counts.tolist(),
        "missed": counts.missed.tolist(),
    }


def _further(evaluation: Evaluation) -> dict[str, Any]:
    """Borders, objects and calibration, as far as they were counted."""
    found: dict[str, Any] = {}
    borders, things, calibration = evaluation.boundary, evaluation.objects, evaluation.calibration
    if borders is not None:
        scores = {name: getattr(borders, name)() for name in ("iou", "f1", "precision", "recall")}
        per_class = {name: [_known(value) for value in score] for name, score in scores.items()}
        means = {f"mean_{name}": _known(mean_of(score)) for name, score in scores.items()}
        found["boundary"] = {"tolerance_m": evaluation.wishes.boundary_m, **means, "per_class": per_class}
    if things is not None:
        found["objects"] = {
            evaluation.legend.names[index]: {
                **{name: _known(getattr(things, name)()[index]) for name in ("f1", "precision", "recall", "mean_iou")},
                **{name: int(getattr(things, name)[index]) for name in ("matched", "predicted", "reference")},
            }
            for index in evaluation.wishes.objects
        }
    if calibration is not None and calibration.pixels:
        pixels, sure, right = calibration.bins()
        bins = [
            {"pixels": int(n), "confidence": _known(c), "accuracy": _known(a)}
            for n, c, a in zip(pixels, sure, right, strict=True)
        ]
        found["calibration"] = {"ece": _known(calibration.error()), "bins": bins}
    return found


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
