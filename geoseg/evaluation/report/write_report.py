"""Write a report of one or several runs: an HTML page, JSON for programs, and Markdown tables for papers."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geoseg._files import check_writable
from geoseg._text import percent
from geoseg.evaluation.report.gallery import GalleryCrop
from geoseg.evaluation.report.render import render_page
from geoseg.evaluation.report.run_data import RunData, make_names_unique
from geoseg.evaluation.report.sections import render_sections
from geoseg.evaluation.tables import MEANS, format_markdown_table
from geoseg.evaluation.write_scores import format_table, to_dict, write_text

MAX_SCENE_ROWS = 50
"""Evaluations of more scenes have no row per scene in Markdown; JSON has them all."""


def report_paths(output: str | Path) -> tuple[Path, Path, Path]:
    """Return the files of a report: the page, and JSON and Markdown with the same stem."""
    page = Path(output)
    return page, page.with_suffix(".json"), page.with_suffix(".md")


def check_report(output: str | Path, *, overwrite: bool) -> None:
    """Raise :class:`OutputError` before the evaluation starts if a file of the report cannot be written."""
    for path in report_paths(output):
        check_writable(path, overwrite)


def write_report(runs: Sequence[RunData], output: str | Path) -> Path:
    """Write the page, JSON and Markdown, replacing existing files.

    Args:
        runs: Runs in the order of the report; names that occur twice are numbered.
        output: Path of the page. The page loads no other file and needs no network.

    Returns:
        Path of the page.
    """
    runs = make_names_unique(runs)
    page, content, tables = report_paths(output)
    write_text(content, json.dumps(report_to_dict(runs), indent=1) + "\n")
    write_text(tables, render_markdown(runs) + "\n")
    write_text(page, render_report(runs))
    return page


def render_report(runs: Sequence[RunData]) -> str:
    """Render the whole page."""
    return render_page(_title(runs), _lead(runs), render_sections(runs))


def report_to_dict(runs: Sequence[RunData]) -> dict[str, Any]:
    """Return everything on the page except images, for JSON."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": [
            {
                "name": run.name,
                **to_dict(run.evaluation),
                "worst_crops": [_crop_to_dict(crop) for crop in run.gallery.worst],
                "best_crops": [_crop_to_dict(crop) for crop in run.gallery.best],
                "curves": {name: [list(point) for point in points] for name, points in run.curves.items()},
                "recipe": run.recipe,
                "environment": dict(run.environment),
            }
            for run in runs
        ],
    }


def render_markdown(runs: Sequence[RunData]) -> str:
    """Render a table that compares the runs, and the tables of each run."""
    rows = [["run", *MEANS]]
    for run in runs:
        scores = run.evaluation.scores(run.evaluation.protocol)
        rows.append([run.name, *(percent(scores[key]) for key in MEANS.values())])
    comparison = "\n".join(format_markdown_table(rows)) if len(runs) > 1 else ""
    parts = []
    for run in runs:
        per_scene = 1 < len(run.evaluation.scenes) <= MAX_SCENE_ROWS
        parts.append(f"## {run.name}\n\n{format_table(run.evaluation, markdown=True, per_scene=per_scene)}")
    return "\n\n".join(part for part in (comparison, *parts) if part)


def _title(runs: Sequence[RunData]) -> str:
    names = [run.name for run in runs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _lead(runs: Sequence[RunData]) -> str:
    about = runs[0].evaluation.about
    split = f", split {about['split']}" if about.get("split") else ""
    data = about.get("data") or about.get("masks") or ""
    scenes = len(runs[0].evaluation.scenes)
    return f"Evaluated on {data}{split}: {scenes} {'scene' if scenes == 1 else 'scenes'}. Scores are in percent."


def _crop_to_dict(crop: GalleryCrop) -> dict[str, Any]:
    window = crop.window
    position = {"row": window.row, "col": window.col, "height": window.height, "width": window.width}
    return {"scene": crop.scene, **position, "wrong": crop.wrong, "mistake": crop.mistake}
