"""Handle the limitations of Shapefiles: ten-character column names, and layers that consist of several files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from geoseg._output_files import remove_files
from geoseg.vector.io.arrow import PolygonStream

SIDECAR_SUFFIXES = (".shx", ".dbf", ".prj", ".cpg")
"""Suffixes of the files that belong to a .shp file."""

SHORT_NAMES = {"class_index": "class_id", "perimeter_m": "perim_m"}
"""Short names for columns whose first ten characters would be unclear."""

SHAPEFILE_LIMITS = (
    "Shapefile is limited to 2 GB, column names of 10 characters and texts of 254 characters, without colors: "
    "class_index is renamed to class_id, and perimeter_m to perim_m"
)
"""Note for the user about the format."""


def shorten_names(stream: PolygonStream) -> PolygonStream:
    """Shorten the column names of a stream to at most ten characters."""
    fields = [field.with_name(SHORT_NAMES.get(field.name, field.name[:10])) for field in stream.schema]
    schema = pa.schema(fields)
    batches: Iterator[pa.RecordBatch] = (
        pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in stream.batches
    )
    return replace(stream, schema=schema, batches=batches)


def move_sidecars(part: Path, path: Path) -> None:
    """Rename the sidecar files of a complete Shapefile to match ``path``; do nothing for other formats."""
    if path.suffix.lower() == ".shp":
        for suffix in SIDECAR_SUFFIXES:
            sidecar = part.with_suffix(suffix)
            if sidecar.exists():
                sidecar.replace(path.with_suffix(suffix))


def remove_sidecars(part: Path) -> None:
    """Delete the sidecar files of an incomplete Shapefile."""
    if part.suffix.lower() == ".shp":
        remove_files(*(part.with_suffix(suffix) for suffix in SIDECAR_SUFFIXES))
