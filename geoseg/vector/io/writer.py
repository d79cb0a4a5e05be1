"""Where polygons go: one file, or one layer or file per class."""

from dataclasses import dataclass, replace
from pathlib import Path

import pyogrio
from pyproj import CRS

from geoseg._files import part_path, remove
from geoseg.errors import ConfigError
from geoseg.vector.io.append import rows
from geoseg.vector.io.arrow import LAYER, Stream
from geoseg.vector.io.formats import check_output, target_crs, write_layers, write_stream
from geoseg.vector.io.shapefile import LIMITS


@dataclass(frozen=True)
class Target:
    """A file to be written."""

    path: Path
    """Its name; the suffix says the format."""
    crs: CRS | None = None
    """The CRS wished for; None for the polygons' own."""
    overwrite: bool = False
    """Whether a file of that name may be replaced."""
    append: bool = False
    """Whether polygons come behind those it has."""
    per_class: bool = False
    """Whether every class gets a layer of its own (GeoPackage), or a file (other formats)."""

    def __post_init__(self) -> None:
        if self.per_class and self.append:
            raise ConfigError("layers per class are not appended to", "leave out --per-class or --append")

    def check(self, own: CRS | None) -> None:
        """What could only fail after the work is refused before; ``own`` is the polygons' CRS."""
        check_output(self.path, self.overwrite, append=self.append)
        self.crs_for(own)

    def crs_for(self, own: CRS | None) -> CRS | None:
        """The CRS to write polygons of CRS ``own`` in."""
        return target_crs(self.path, self.crs, own, append=self.append)

    def write(self, stream: Stream) -> int:
        """Write polygons in :meth:`crs_for` theirs; how many there were."""
        if self.per_class:
            return write_per_class(stream, self.path, overwrite=self.overwrite)
        return write_stream(stream, self.path, overwrite=self.overwrite, append=self.append)

    def notes(self) -> tuple[str, ...]:
        """What a user should know of the format."""
        return (LIMITS,) if self.path.suffix.lower() == ".shp" else ()


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
