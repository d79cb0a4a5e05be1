"""Write scores as a text table, Markdown or JSON, always with their protocol."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geoseg._output_files import atomic_path, output_errors
from geoseg.evaluation.protocols import Protocol
from geoseg.evaluation.result import Evaluation
from geoseg.evaluation.tables import (
    TableStyle,
    class_rows,
    extra_tables,
    format_aligned,
    format_markdown_table,
    format_protocol,
    overall_lines,
    scene_rows,
)
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.confusion_matrix import nanmean
from geoseg.metrics.scores import CLASS_SCORES, openmmlab_scores, summarize_scores


def format_table(evaluation: Evaluation, *, markdown: bool = False, per_scene: bool = False) -> str:
    """Format scores in percent as text.

    Args:
        evaluation: Scores to format.
        markdown: Format tables as Markdown instead of aligned columns.
        per_scene: Add a table with one row per scene, lowest mean IoU first.

    Returns:
        The scores per class, overall, and per protocol and domain. Undefined scores are shown as a dash.
    """
    style: TableStyle = format_markdown_table if markdown else format_aligned
    parts = [
        style(class_rows(evaluation, evaluation.protocol)),
        overall_lines(evaluation),
        *(style(rows) for rows in extra_tables(evaluation).values() if len(rows) > 1),
        *([style(scene_rows(evaluation))] if per_scene else []),
        *([[f"Note: {note}" for note in evaluation.notes]] if evaluation.notes else []),
        [format_protocol(evaluation.protocol)],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def to_json(evaluation: Evaluation) -> str:
    """Return the content of the tables as JSON, unrounded, with counts and scores per scene; null where undefined."""
    return json.dumps(to_dict(evaluation), indent=1)


def to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return the content of :func:`to_json`: the primary protocol at the top level, and all protocols in ``protocols``."""
    primary, *_ = evaluation.protocols
    by_name = {protocol.name: _protocol_to_dict(evaluation, protocol) for protocol in evaluation.protocols}
    return {
        "protocol": f"{primary.name}: {primary.text}",
        "classes": list(evaluation.legend.names),
        **by_name[primary.name],
        "protocols": by_name,
        **_extras_to_dict(evaluation),
        "notes": list(evaluation.notes),
        "about": dict(evaluation.about),
    }


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Write the result of :func:`to_json` to a file atomically; raise :class:`OutputError` if it cannot be written."""
    write_text(path, to_json(evaluation) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; raise :class:`OutputError` if it cannot be written."""
    with output_errors(path), atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


def _protocol_to_dict(evaluation: Evaluation, protocol: Protocol) -> dict[str, Any]:
    excluded = protocol.excluded_indices(evaluation.legend)
    scenes = evaluation.counts_by_scene(protocol)
    content = {
        "text": protocol.text,
        "left_out": list(protocol.excluded_classes),
        **_counts_to_dict(evaluation.counts(protocol), excluded),
        "intervals": {name: list(pair) for name, pair in evaluation.intervals(protocol).items()},
        "domains": {name: _counts_to_dict(evaluation.counts(protocol, name), excluded) for name in evaluation.domains},
        "scenes": {name: _counts_to_dict(counts, excluded) for name, counts in scenes.items()},
    }
    if protocol.name == "openmmlab":
        rounded = openmmlab_scores(evaluation.counts(protocol))
        content["openmmlab"] = {name: _none_if_nan(score) for name, score in rounded.items()}
    return content


def _counts_to_dict(counts: ConfusionMatrix, excluded: Sequence[int]) -> dict[str, Any]:
    return {
        **{name: _none_if_nan(score) for name, score in summarize_scores(counts, excluded).items()},
        "per_class": {name: [_none_if_nan(value) for value in score(counts)] for name, score in CLASS_SCORES.items()},
        "counts": counts.counts.tolist(),
        "missed": counts.missed.tolist(),
        "ignored": counts.ignored,
    }


def _extras_to_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return the boundary, object and calibration scores, if they were counted."""
    content: dict[str, Any] = {}
    boundary, objects, calibration = evaluation.boundary, evaluation.objects, evaluation.calibration
    if boundary is not None:
        scores = {name: getattr(boundary, name)() for name in ("iou", "f1", "precision", "recall")}
        per_class = {name: [_none_if_nan(value) for value in score] for name, score in scores.items()}
        means = {f"mean_{name}": _none_if_nan(nanmean(score)) for name, score in scores.items()}
        content["boundary"] = {"tolerance_m": evaluation.options.boundary_m, **means, "per_class": per_class}
    if objects is not None:
        content["objects"] = {
            evaluation.legend.names[index]: {
                **{
                    name: _none_if_nan(getattr(objects, name)()[index])
                    for name in ("f1", "precision", "recall", "mean_iou")
                },
                **{name: int(getattr(objects, name)[index]) for name in ("matched", "predicted", "reference")},
            }
            for index in evaluation.options.objects
        }
    if calibration is not None and calibration.pixels:
        pixels, confidence, accuracy = calibration.bins()
        bins = [
            {"pixels": int(n), "confidence": _none_if_nan(c), "accuracy": _none_if_nan(a)}
            for n, c, a in zip(pixels, confidence, accuracy, strict=True)
        ]
        content["calibration"] = {"ece": _none_if_nan(calibration.error()), "bins": bins}
    return content


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
