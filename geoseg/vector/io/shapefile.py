"""What Shapefile cannot do, done as well as it can: names of ten letters, and a layer in four files and more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from geoseg._files import remove
from geoseg.vector.io.arrow import Stream

SIDES = (".shx", ".dbf", ".prj", ".cpg")
"""The files beside a .shp that belong to it."""

NAMES = {"class_index": "class_id", "perimeter_m": "perim_m"}
"""Shorter names of the columns that need one."""

LIMITS = (
    "Shapefile holds at most 2 GB, names of 10 and texts of 254 letters, and no colours: class_index is called class_id, "
    "perimeter_m perim_m"
)
"""What a user should know."""


def fitting(stream: Stream) -> Stream:
    """The stream with column names that fit."""
    fields = [field.with_name(NAMES.get(field.name, field.name[:10])) for field in stream.schema]
    schema = pa.schema(fields)
    batches: Iterator[pa.RecordBatch] = (
        pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in stream.batches
    )
    return replace(stream, schema=schema, batches=batches)


def move_sides(part: Path, path: Path) -> None:
    """Move the files beside a Shapefile that is complete to their names; other formats have none."""
    if path.suffix.lower() == ".shp":
        for suffix in SIDES:
            side = part.with_suffix(suffix)
            if side.exists():
                side.replace(path.with_suffix(suffix))


def remove_sides(part: Path) -> None:
    """Delete what is left of an unfinished Shapefile."""
    if part.suffix.lower() == ".shp":
        remove(*(part.with_suffix(suffix) for suffix in SIDES))
