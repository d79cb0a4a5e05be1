"""``geoseg info``: what a file is and what it holds."""

from typing import TYPE_CHECKING

import click

from . import options, talk
from .progress import bars

if TYPE_CHECKING:
    from geoseg.describe.summary import ClassRow, Summary


@click.command()
@click.argument("anything", shell_complete=options.complete_recipe)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@options.talk
def info(*, anything: str, as_json: bool) -> None:
    """Say what ANYTHING is: a scene, mask, label raster, polygon file, model or recipe.

    Masks and label rasters are shown with pixels and area per class, polygon files with polygons and area. A recipe is
    printed whole, with every default, as a recipe.
    """
    from geoseg.describe.describe import describe

    summary = describe(anything, progress=bars())
    if as_json:
        talk.result_json(summary.to_json())
        return
    if summary.text:
        talk.result(f"# {summary.source}: {summary.kind}, defaults included\n{summary.text.rstrip()}")
        return
    talk.result(f"{summary.source}: {summary.kind}\n\n{_facts(summary)}")
    if summary.classes:
        talk.result(f"\n{_classes(summary)}")
    for note in summary.notes:
        talk.result(f"\nNote: {note}")


def _facts(summary: "Summary") -> str:
    width = max(len(fact.label) for fact in summary.facts)
    return "\n".join(f"{fact.label.ljust(width)}  {fact.text}" for fact in summary.facts if fact.text)


def _classes(summary: "Summary") -> str:
    """The legend as a table; columns nobody filled are left away."""
    header = ["index", "class", "colour", summary.counted, "share", "area", "IoU"]
    largest_m2 = max(row.area_m2 or 0 for row in summary.classes)
    rows = [_cells(row, largest_m2) for row in summary.classes]
    kept = [k for k in range(len(header)) if any(row[k] for row in rows)]
    return talk.table([header[k] for k in kept], [[row[k] for k in kept] for row in rows])


def _cells(row: "ClassRow", largest_m2: float) -> list[str]:
    from geoseg.describe.summary import area_text

    return [
        str(row.index),
        row.name,
        row.colour or "",
        "" if row.count is None else f"{row.count:,}",
        "" if row.share is None else f"{row.share:.2%}",
        "" if row.area_m2 is None else area_text(row.area_m2, largest_m2),
        "" if row.iou is None else f"{row.iou:.2%}",
    ]
