"""A report of one run or of several side by side: one HTML file to look at, JSON for programs, Markdown for papers."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from geoseg._files import check_writable
from geoseg.evaluation.report.gallery import ShownCrop
from geoseg.evaluation.report.html import Html, document, joined, tag
from geoseg.evaluation.report.image_sections import (
    calibration_section,
    crops_section,
    making_section,
    maps_section,
    training_section,
)
from geoseg.evaluation.report.overview_section import protocols_section, summary_section
from geoseg.evaluation.report.run_data import Reported, named_apart
from geoseg.evaluation.report.score_sections import (
    borders_section,
    classes_section,
    confusion_section,
    domains_section,
    scenes_section,
)
from geoseg.evaluation.tables import MEANS, markdown_table, percent
from geoseg.evaluation.write_scores import table, to_dict, write_text

SCENES_LISTED = 50
"""So many scenes at most have a row each in Markdown; JSON has them all."""


def paths_of(output: str | Path) -> tuple[Path, Path, Path]:
    """The files of a report: the page, and beside it JSON and Markdown of the same name."""
    page = Path(output)
    return page, page.with_suffix(".json"), page.with_suffix(".md")


def check_report(output: str | Path, *, overwrite: bool) -> None:
    """:class:`OutputError` now, if a report could not be written after all the work."""
    for path in paths_of(output):
        check_writable(path, overwrite)


def write_report(reported: Sequence[Reported], output: str | Path) -> Path:
    """Writes the page, JSON and Markdown; what is there is replaced. The page needs no other file, and no network."""
    runs = named_apart(reported)
    page, content, tables = paths_of(output)
    write_text(content, json.dumps(report_json(runs), indent=1) + "\n")
    write_text(tables, report_markdown(runs) + "\n")
    write_text(page, report_page(runs))
    return page


def report_page(runs: Sequence[Reported]) -> str:
    """The whole page."""
    sections: list[tuple[str, Html]] = [
        ("Summary", summary_section(runs)),
        ("Classes", classes_section(runs)),
        ("Protocols", protocols_section(runs)),
        ("Domains", domains_section(runs)),
        ("Confusion", confusion_section(runs)),
        ("Borders and objects", borders_section(runs)),
        ("Worst crops", crops_section(runs, worst=True)),
        ("Best crops", crops_section(runs, worst=False)),
        ("Maps", maps_section(runs)),
        ("Scenes", scenes_section(runs)),
        ("Calibration", calibration_section(runs)),
        ("Training", training_section(runs)),
        ("Recipe and environment", making_section(runs)),
    ]
    return document(_title(runs), _lead(runs), sections)


def report_json(runs: Sequence[Reported]) -> dict[str, Any]:
    """Everything the page shows but its pictures."""
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": [
            {
                "name": run.name,
                **to_dict(run.evaluation),
                "worst_crops": [_crop_json(crop) for crop in run.album.worst],
                "best_crops": [_crop_json(crop) for crop in run.album.best],
                "curves": {name: [list(point) for point in points] for name, points in run.curves.items()},
                "recipe": run.recipe,
                "environment": dict(run.environment),
            }
            for run in runs
        ],
    }


def report_markdown(runs: Sequence[Reported]) -> str:
    """Tables to paste: the runs beside each other, then each by itself."""
    rows = [["run", *MEANS]]
    for run in runs:
        scores = run.evaluation.scores(run.evaluation.protocol)
        rows.append([run.name, *(percent(scores[key]) for key in MEANS.values())])
    together = "\n".join(markdown_table(rows)) if len(runs) > 1 else ""
    parts = []
    for run in runs:
        few = 1 < len(run.evaluation.scenes) <= SCENES_LISTED
        parts.append(f"## {run.name}\n\n{table(run.evaluation, markdown=True, per_scene=few)}")
    return "\n\n".join(part for part in (together, *parts) if part)


def _title(runs: Sequence[Reported]) -> str:
    names = [run.name for run in runs]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _lead(runs: Sequence[Reported]) -> Html:
    about = runs[0].evaluation.about
    split = f", split {about['split']}" if about.get("split") else ""
    what = about.get("data") or about.get("masks") or ""
    scenes = len(runs[0].evaluation.scenes)
    said = f"Judged on {what}{split}: {scenes} {'scene' if scenes == 1 else 'scenes'}. Scores are percent."
    return joined(tag("p", said, class_="quiet"))


def _crop_json(crop: ShownCrop) -> dict[str, Any]:
    w = crop.window
    place = {"row": w.row, "col": w.col, "height": w.height, "width": w.width}
    return {"scene": crop.scene, **place, "wrong": crop.wrong, "mistake": crop.mistake}
