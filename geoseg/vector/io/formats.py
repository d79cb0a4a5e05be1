"""The vector files we write: one way for all, chosen by the file's suffix. Files appear under their names when complete."""

import contextlib
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS

from geoseg._files import check_writable, output_errors, part_path, remove
from geoseg.errors import ConfigError, OutputError
from geoseg.vector.io.append import behind, crs_of, like
from geoseg.vector.io.arrow import LAYER, Stream
from geoseg.vector.io.geoparquet import write_parquet
from geoseg.vector.io.qgis_style import TABLE, style_table
from geoseg.vector.io.shapefile import fitting, move_sides, remove_sides

GEOJSON_DIGITS = 8
"""Decimals of a degree in GeoJSON: a millimetre, because neighbouring pixels of 5 cm must stay apart."""

WGS84 = CRS.from_epsg(4326)

DRIVERS = {".gpkg": "GPKG", ".parquet": "", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON", ".shp": "ESRI Shapefile"}
"""GDAL's name of each format by suffix; GeoParquet is written without GDAL."""


def check_output(path: str | Path, overwrite: bool, *, append: bool = False) -> None:
    """:class:`OutputError` if a layer could not be written to ``path``: unknown suffix, file exists, folder missing."""
    suffix = Path(path).suffix.lower()
    if suffix not in DRIVERS:
        raise OutputError(
            f"{Path(path).name} is in no vector format geoseg writes", f"end its name in one of {', '.join(DRIVERS)}"
        )
    if append and overwrite:
        raise ConfigError("a layer is either overwritten or appended to", "leave out --overwrite or --append")
    check_writable(path, overwrite or append)


def target_crs(path: Path, crs: CRS | None, own: CRS | None, *, append: bool = False) -> CRS | None:
    """The CRS to write polygons of CRS ``own`` in, if ``crs`` is wished (None: their own); that of a file we append to.

    :class:`OutputError` if a layer without CRS is wished in one, :class:`ConfigError` if GeoJSON in another than WGS 84.
    """
    if path.suffix.lower() == ".geojson":
        if crs is not None and crs != WGS84:
            raise ConfigError(
                "GeoJSON is always in longitude and latitude (RFC 7946)", "leave out --crs, or write .gpkg"
            )
        crs = WGS84
    elif append and path.exists():
        crs = crs_of(path)
    if own is None and crs is not None:
        what = "GeoJSON is in longitude and latitude" if crs == WGS84 else "they cannot be brought to another"
        raise OutputError(f"the polygons have no CRS, and {what}", "write .gpkg without --crs, which may do without")
    return crs or own


def write_stream(stream: Stream, path: Path, *, overwrite: bool = False, append: bool = False) -> int:
    """Write polygons with their attributes; how many there were.

    The stream's CRS is the file's: see :func:`target_crs`. A GeoPackage gets the legend as its QGIS style. With
    ``append``, rows come behind those that the file has, if it exists. :class:`OutputError` as in :func:`check_output`,
    or if the disk is full; :class:`LayerError` if rows do not fit behind those that are there.
    """
    check_output(path, overwrite, append=append)
    counted = _Counted(stream.batches)
    with _complete(path, counted) as part:
        before = path if append and path.exists() else None
        _WRITERS[path.suffix.lower()](replace(stream, batches=counted), part, before)
    return counted.rows


def write_layers(streams: Iterable[tuple[str, Stream]], path: Path, *, overwrite: bool = False) -> None:
    """Write several layers, each with its name, to one GeoPackage; the rest as :func:`write_stream`."""
    check_output(path, overwrite)
    with _complete(path, _Counted(())) as part:
        styles = []
        for name, stream in streams:
            _write_by_gdal(stream, part, layer=name)
            legend = stream.legend()
            if legend is not None:
                styles.append(style_table(legend, layer=name))
        if styles:
            _write_styles(pd.concat(styles), part)


@contextlib.contextmanager
def _complete(path: Path, counted: "_Counted") -> Iterator[Path]:
    """A file to fill beside ``path``, which takes its place when all went well."""
    part = part_path(path)
    remove(part)
    try:
        with output_errors(path), _gdal_errors(path, counted):
            yield part
            # SQLite would play an old journal back onto the new file.
            remove(*(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal")))
            move_sides(part, path)
            part.replace(path)
    finally:
        remove(part)
        remove_sides(part)


class _Counted:
    """Batches, counted as they pass; an error on the way is kept, because GDAL would only tell that there was one."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.rows += batch.num_rows
                yield batch
        except Exception as error:
            self.error = error
            raise


@contextlib.contextmanager
def _gdal_errors(path: Path, counted: _Counted) -> Iterator[None]:
    """Turns what GDAL and Arrow say into an :class:`OutputError`, or into the error that the rows met on their way."""
    try:
        yield
    except (DataSourceError, DataLayerError, pa.ArrowException, RuntimeError) as error:
        if counted.error is not None:
            raise counted.error from None
        raise OutputError(f"{path} cannot be written: {error}", "check that the disk is not full") from error


def _write_geopackage(stream: Stream, part: Path, before: Path | None) -> None:
    if before is not None:
        stream = like(stream, before, may_grow=False)
        shutil.copyfile(before, part)  # other layers of the file stay
    _write_by_gdal(stream, part, append=before is not None)
    legend = stream.legend()
    if legend is not None and TABLE not in {name for name, _ in pyogrio.list_layers(part)}:
        _write_styles(style_table(legend, layer=LAYER), part)


def _write_styles(table: pd.DataFrame, part: Path) -> None:
    pyogrio.write_dataframe(table, part, driver="GPKG", layer=TABLE, append=True, layer_options={"FID": "id"})


def _write_flatgeobuf(stream: Stream, part: Path, before: Path | None) -> None:
    _write_by_gdal(behind(stream, before), part)


def _write_geojson(stream: Stream, part: Path, before: Path | None) -> None:
    _write_by_gdal(behind(stream, before), part, RFC7946="YES", COORDINATE_PRECISION=str(GEOJSON_DIGITS))


def _write_shapefile(stream: Stream, part: Path, before: Path | None) -> None:
    _write_by_gdal(behind(fitting(stream), before), part, ENCODING="UTF-8")


def _write_parquet(stream: Stream, part: Path, before: Path | None) -> None:
    write_parquet(behind(stream, before), part)


def _write_by_gdal(stream: Stream, path: Path, *, layer: str = LAYER, append: bool = False, **options: str) -> None:
    plain = stream.without_box()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # layers without CRS are allowed
        warnings.filterwarnings("ignore", ".*Possible invalid ring orientation.*", RuntimeWarning)
        pyogrio.raw.write_arrow(
            pa.RecordBatchReader.from_batches(plain.schema, plain.batches),
            path,
            layer=layer if path.suffix.lower() != ".shp" else None,
            driver=DRIVERS[path.suffix.lower()],
            geometry_type="MultiPolygon" if stream.several else "Polygon",
            crs=None if stream.crs is None else stream.crs.to_wkt(),
            append=append,
            layer_options=options or None,
        )


_WRITERS: dict[str, Callable[[Stream, Path, Path | None], None]] = {
    ".gpkg": _write_geopackage,
    ".parquet": _write_parquet,
    ".fgb": _write_flatgeobuf,
    ".geojson": _write_geojson,
    ".shp": _write_shapefile,
}
"""How each suffix is written: the stream, the file that grows, and the one whose rows come first."""
