"""Write polygons to a GeoDataFrame in memory, to one file, or to one layer or file per class."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Protocol

import geopandas as gpd
import pyarrow as pa
import pyarrow.compute as pc
from pyogrio.errors import DataLayerError, DataSourceError

from geoseg._output_files import (
    atomic_path,
    check_writable,
    hint_for_write_error,
    output_errors,
    remove_files,
    temporary_path,
)
from geoseg.errors import LayerError, OutputError
from geoseg.legend import Legend
from geoseg.vector.io.arrow import CLASS_COLUMN, PolygonStream
from geoseg.vector.io.formats import add_layer, add_styles, write_polygons
from geoseg.vector.io.qgis_style import STYLE_TABLE
from geoseg.vector.io.reader import LAYER_NAME, read_batches
from geoseg.vector.io.shapefile import move_sidecars, remove_sidecars

RESERVED_PREFIXES = ("gpkg", "sqlite_", "rtree_", STYLE_TABLE)
"""Prefixes of table names that are reserved by GeoPackage, SQLite and QGIS."""

MAX_NAME_PART = 60
"""Maximum length of a class name in a file name, in characters; most file systems limit file names to 255 bytes."""


@dataclass(frozen=True)
class WriteSummary:
    """Summary of the polygons that were written."""

    count: int
    """Number of polygons."""
    class_counts: Mapping[str, int]
    """Number of polygons by class name; empty if the polygons have no class column."""
    layers: tuple[str, ...] = ()
    """Names of the layers, in formats that support several layers per file."""
    frame: gpd.GeoDataFrame | None = None
    """The polygons, if they are kept in memory."""


class PolygonWriter(Protocol):
    """Destination for polygons; :meth:`write` is called once, then :meth:`write_style`."""

    def write(self, stream: PolygonStream) -> WriteSummary:
        """Write all rows of a stream."""

    def write_style(self, legend: Legend | None) -> None:
        """Write the class colors of a legend, if the format supports styles."""


class FrameWriter:
    """Keeps polygons in memory."""

    def write(self, stream: PolygonStream) -> WriteSummary:
        """Collect all rows in a GeoDataFrame."""
        rows = _CountedRows(stream)
        return rows.summarize(frame=replace(stream, batches=rows).to_frame())

    def write_style(self, legend: Legend | None) -> None:
        """Do nothing, because a GeoDataFrame has no style."""


class FileWriter:
    """Writes polygons to one file, or to one layer or file per class."""

    def __init__(
        self, path: Path, files: ExitStack, *, overwrite: bool = False, append: bool = False, per_class: bool = False
    ) -> None:
        """Prepare to write.

        Args:
            path: The file, whose suffix determines the format.
            files: Exit stack; when it is closed, files are renamed to their final names, or deleted after an error.
            overwrite: True if existing files may be replaced.
            append: True to add the rows to an existing file.
            per_class: True to write each class to its own layer (GeoPackage) or file (other formats).
        """
        self._path = path
        self._files = files
        self._overwrite = overwrite
        self._append = append
        self._per_class = per_class
        self._geopackage: Path | None = None
        self._layers: list[str] = []

    def write(self, stream: PolygonStream) -> WriteSummary:
        """Write all rows of a stream.

        Raises:
            OutputError: If a file cannot be written.
            LayerError: If the rows do not match the file that they are appended to.
        """
        if self._per_class:
            return self._write_per_class(stream)
        existing = self._path if self._append and self._path.exists() else None
        part = self._create(self._path)
        self._layers = [LAYER_NAME]
        with _counted(stream, self._path) as (rows, counted):
            write_polygons(counted, part, existing)
        return rows.summarize(layers=() if self._geopackage is None else (LAYER_NAME,))

    def write_style(self, legend: Legend | None) -> None:
        """Add the class colors to a GeoPackage that has no styles yet; other formats do not support styles."""
        if legend is not None and self._geopackage is not None:
            with _gdal_errors(self._path):
                add_styles(legend, self._geopackage, self._layers)

    def _create(self, path: Path) -> Path:
        """Return the temporary path of a new file, which is renamed when the writer is closed."""
        check_writable(path, self._overwrite or self._append)
        part = self._files.enter_context(_replace_file(path))
        self._geopackage = part if path.suffix.lower() == ".gpkg" else None
        return part

    def _write_per_class(self, stream: PolygonStream) -> WriteSummary:
        """Write all rows to a temporary GeoPackage, then the rows of each class to its layer or file."""
        if CLASS_COLUMN not in stream.schema.names:
            raise LayerError(f"the layer has no column {CLASS_COLUMN!r}", "leave out --per-class")
        everything = temporary_path(self._path, "all").with_suffix(".gpkg")
        try:
            with ExitStack() as files:
                summary = FileWriter(everything, files, overwrite=True).write(stream)
            classes = sorted(summary.class_counts)
            layers = [_select_class(stream, everything, name) for name in classes]
            if self._path.suffix.lower() == ".gpkg":
                self._layers = _make_distinct([_to_layer_name(name) for name in classes])
                part = self._create(self._path)
                for name, layer in zip(self._layers, layers, strict=True):
                    with _gdal_errors(self._path):
                        add_layer(layer, part, name)
                return replace(summary, layers=tuple(self._layers))
            stem, suffix = self._path.stem, self._path.suffix
            names = _make_distinct([_to_file_name(name) for name in classes])
            paths = [self._path.with_name(f"{stem}_{name}{suffix}") for name in names]
            parts = [self._create(path) for path in paths]
            for layer, path, part in zip(layers, paths, parts, strict=True):
                with _gdal_errors(path):
                    write_polygons(layer, part)
            return replace(summary, layers=())
        finally:
            remove_files(everything)


def _select_class(stream: PolygonStream, path: Path, name: str) -> PolygonStream:
    quoted = name.replace("'", "''")
    return replace(stream, batches=read_batches(path, stream.schema, where=f"{CLASS_COLUMN} = '{quoted}'"))


def _to_file_name(name: str) -> str:
    """Replace characters that are not allowed in file names, and shorten the name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:MAX_NAME_PART]


def _to_layer_name(name: str) -> str:
    """Return a valid name for a GeoPackage layer: GDAL rejects some first characters and reserved prefixes."""
    is_refused = not (name[:1].isalnum() or name[:1] == "_") or name.lower().startswith(RESERVED_PREFIXES)
    return f"_{name}" if is_refused else name


def _make_distinct(names: Sequence[str]) -> list[str]:
    """Make names distinct by appending numbers, ignoring case, because SQLite and some file systems ignore it."""
    taken: set[str] = set()
    distinct = []
    for name in names:
        candidates = chain([name], (f"{name}_{number}" for number in count(2)))
        free = next(candidate for candidate in candidates if candidate.casefold() not in taken)
        taken.add(free.casefold())
        distinct.append(free)
    return distinct


@contextmanager
def _replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; unless an error occurs, the file and its sidecar files replace ``path`` on exit."""
    part = temporary_path(path)
    try:
        with output_errors(path), atomic_path(path, temporary=part):
            remove_files(part)  # otherwise GDAL would append to a file left over from a run that was killed
            yield part
            # SQLite would apply an old journal to the new file.
            remove_files(*(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))
            move_sidecars(part, path)
    finally:
        remove_sidecars(part)


class _CountedRows:
    """Iterator that counts rows as batches are read, and stores any error raised by the stream."""

    def __init__(self, stream: PolygonStream) -> None:
        self._batches = stream.batches
        self._has_classes = CLASS_COLUMN in stream.schema.names
        self._count = 0
        self._class_counts: Counter[str] = Counter()
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self._count += batch.num_rows
                if self._has_classes:
                    for item in pc.value_counts(batch.column(CLASS_COLUMN)):
                        self._class_counts[str(item["values"].as_py())] += item["counts"].as_py()
                yield batch
        except Exception as error:
            self.error = error
            raise

    def summarize(self, *, layers: tuple[str, ...] = (), frame: gpd.GeoDataFrame | None = None) -> WriteSummary:
        """Summarize the rows that were read."""
        return WriteSummary(self._count, dict(self._class_counts), layers, frame)


@contextmanager
def _counted(stream: PolygonStream, path: Path) -> Iterator[tuple[_CountedRows, PolygonStream]]:
    """Yield a counter and the counted stream; if writing fails because the stream raised an error, raise that error."""
    rows = _CountedRows(stream)
    try:
        with _gdal_errors(path):
            yield rows, replace(stream, batches=rows)
    except OutputError:
        if rows.error is not None:
            raise rows.error from rows.error.__cause__
        raise


@contextlib.contextmanager
def _gdal_errors(path: Path) -> Iterator[None]:
    """Convert GDAL and Arrow errors into an :class:`OutputError`."""
    try:
        yield
    except (DataSourceError, DataLayerError, pa.ArrowException, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise OutputError(f"{path} cannot be written: {reason}", hint_for_write_error(error, reason)) from error
