"""A gap written down: one HTML file to look at, and JSON for programs."""

import json
from pathlib import Path

from geoseg.evaluation.gap import Gap, gap_json
from geoseg.evaluation.page.gap_sections import gap_page
from geoseg.evaluation.report import write_text
from geoseg.raster.output import check_writable


def write_gap(gap: Gap, output: str | Path) -> Path:
    """Writes the page, and JSON of the same name beside it; what is there is replaced."""
    page = Path(output)
    write_text(page.with_suffix(".json"), json.dumps(gap_json(gap), indent=1) + "\n")
    write_text(page, gap_page(gap))
    return page


def check_gap(output: str | Path, *, overwrite: bool) -> None:
    """:class:`OutputError` now, if the page could not be written after all the work."""
    for path in (Path(output), Path(output).with_suffix(".json")):
        check_writable(path, overwrite)
