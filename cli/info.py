"""`geoseg info`: describe a file."""

from typing import TYPE_CHECKING

import click

from . import console, options
from .progress import current_progress

if TYPE_CHECKING:
    from geoseg.file_info.info import ClassRow, FileInfo


@click.command()
@click.argument("file", shell_complete=options.complete_recipe)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options.verbosity
def info(*, file: str, as_json: bool) -> None:
    """Describe FILE: a scene, mask, label raster, vector file, model or recipe.

    For masks and label rasters, the number of pixels and the area per class are listed; for vector files, the number of
    features and the area. A recipe is printed in full, with all defaults.
    """
    from geoseg.file_info.describe import describe

    summary = describe(file, progress=current_progress())
    if as_json:
        console.print_json(summary.to_json())
        return
    if summary.text:
        console.print_result(f"# {summary.source}: {summary.kind}, defaults included\n{summary.text.rstrip()}")
        return
    console.print_result(f"{summary.source}: {summary.kind}\n\n{_facts(summary)}")
    if summary.classes:
        console.print_result(f"\n{_classes(summary)}")
    for note in summary.notes:
        console.print_result(f"\nNote: {note}")


def _facts(summary: "FileInfo") -> str:
    width = max(len(fact.label) for fact in summary.facts)
    return "\n".join(f"{fact.label.ljust(width)}  {fact.text}" for fact in summary.facts if fact.text)


def _classes(summary: "FileInfo") -> str:
    """Format the legend as a table without empty columns."""
    header = ["index", "class", "color", summary.counted, "share", "area", "IoU"]
    largest_m2 = max(row.area_m2 or 0 for row in summary.classes)
    rows = [_cells(row, largest_m2) for row in summary.classes]
    kept = [k for k in range(len(header)) if any(row[k] for row in rows)]
    return console.table([header[k] for k in kept], [[row[k] for k in kept] for row in rows])


def _cells(row: "ClassRow", largest_m2: float) -> list[str]:
    from geoseg.file_info.info import area_text

    return [
        str(row.index),
        row.name,
        row.colour or "",
        "" if row.count is None else f"{row.count:,}",
        "" if row.share is None else f"{row.share:.2%}",
        "" if row.area_m2 is None else area_text(row.area_m2, largest_m2),
        "" if row.iou is None else f"{row.iou:.2%}",
    ]
