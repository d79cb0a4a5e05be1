"""A layer per class: of a GeoPackage, or a file of its own in formats of one layer.

All rows are written once to a GeoPackage beside the target, which then gives them out class by class.
"""

from dataclasses import replace
from pathlib import Path

import pyogrio

from geoseg.raster.output import part_path, remove
from geoseg.vector.append import rows
from geoseg.vector.formats import check_output, write_layers, write_stream
from geoseg.vector.stream import LAYER, Stream

NAME = "class_name"


def write_per_class(stream: Stream, path: Path, *, overwrite: bool = False) -> int:
    """Write polygons, those of each class apart; how many there were. Files are called after ``path`` and the class."""
    whole = part_path(path, "whole").with_suffix(".gpkg")
    try:
        count = write_stream(stream, whole, overwrite=True)
        column = pyogrio.read_dataframe(whole, layer=LAYER, columns=[NAME], read_geometry=False)[NAME]
        names = sorted(set(column.astype(str)))
        if path.suffix.lower() == ".gpkg":
            write_layers(((name, _only(stream, whole, name)) for name in names), path, overwrite=overwrite)
            return count
        files = [path.with_name(f"{path.stem}_{_in_file_name(name)}{path.suffix}") for name in names]
        for file in files:
            check_output(file, overwrite)
        for name, file in zip(names, files, strict=True):
            write_stream(_only(stream, whole, name), file, overwrite=overwrite)
        return count
    finally:
        remove(whole)


def _only(stream: Stream, whole: Path, name: str) -> Stream:
    quoted = name.replace("'", "''")
    return replace(stream, batches=rows(whole, stream.schema, where=f"{NAME} = '{quoted}'"))


def _in_file_name(name: str) -> str:
    """A class name as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
