"""Write streams of polygons in the vector format given by the file suffix, or append them to existing files."""

import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyogrio
from pyproj import CRS

from geoseg.errors import LayerError
from geoseg.legend import Legend
from geoseg.vector.io.arrow import BBOX, GEOMETRY, ID_COLUMN, PolygonStream
from geoseg.vector.io.drivers import DRIVERS
from geoseg.vector.io.geoparquet import is_parquet, read_parquet_crs, write_parquet
from geoseg.vector.io.qgis_style import STYLE_TABLE, build_style_table
from geoseg.vector.io.reader import LAYER_NAME, find_layer, read_batches
from geoseg.vector.io.shapefile import shorten_names

GEOJSON_DIGITS = 8
"""Number of decimal places for degrees in GeoJSON: about a millimeter, so that adjacent 5 cm pixels remain distinct."""


def write_polygons(stream: PolygonStream, path: Path, existing: Path | None = None) -> None:
    """Write one layer to a new file.

    Args:
        stream: The polygons.
        path: The file to create; its suffix determines the format.
        existing: A file whose rows (and, for a GeoPackage, other layers) are copied first; None if there is none.

    Raises:
        LayerError: If the columns or geometry types of ``existing`` are incompatible with those of the stream.
    """
    stream = stream if existing is None else _continue_ids(stream, existing)
    _WRITERS[path.suffix.lower()](stream, path, existing)


def _continue_ids(stream: PolygonStream, existing: Path) -> PolygonStream:
    """Add a constant to the identifiers in a stream so that they are larger than those in an existing file."""
    columns, _ = _read_columns(existing)
    if ID_COLUMN not in columns or ID_COLUMN not in stream.schema.names:
        return stream
    if is_parquet(existing):
        ids = pq.read_table(existing, columns=[ID_COLUMN])[ID_COLUMN].to_pandas()
    else:
        layer = find_layer(existing)
        ids = pyogrio.read_dataframe(existing, layer=layer, columns=[ID_COLUMN], read_geometry=False)[ID_COLUMN]
    ids = ids.dropna()  # polygons that were drawn by hand have no identifier
    if len(ids) and ids.dtype.kind not in "iuf":
        raise LayerError(f"{ID_COLUMN} of {existing} holds text, not numbers", "rename the column, or write a new file")
    first, position = int(ids.max()) + 1 if len(ids) else 0, stream.schema.get_field_index(ID_COLUMN)

    def shift(batch: pa.RecordBatch) -> pa.RecordBatch:
        own = batch.columns
        own[position] = pc.add(own[position], first)
        return pa.RecordBatch.from_arrays(own, schema=stream.schema)

    return replace(stream, batches=(shift(batch) for batch in stream.batches))


def add_layer(stream: PolygonStream, path: Path, layer: str) -> None:
    """Write a named layer to a GeoPackage, which is created if it does not exist."""
    _write_with_gdal(stream, path, layer=layer)


def add_styles(legend: Legend, path: Path, layers: Sequence[str]) -> None:
    """Add a QGIS style for each layer to a GeoPackage, unless the file already has styles."""
    if layers and STYLE_TABLE not in {name for name, _ in pyogrio.list_layers(path)}:
        table = pd.concat([build_style_table(legend, layer=layer) for layer in layers])
        pyogrio.write_dataframe(table, path, driver="GPKG", layer=STYLE_TABLE, append=True, layer_options={"FID": "id"})


def read_layer_crs(path: Path) -> CRS | None:
    """Read the CRS of the file that rows are appended to; raise :class:`LayerError` if it cannot be read."""
    try:
        if is_parquet(path):
            return read_parquet_crs(path)
        crs = pyogrio.read_info(path, layer=find_layer(path))["crs"]
        return CRS.from_user_input(crs) if crs else None
    except Exception as error:  # several libraries raise errors for damaged files
        raise LayerError(
            f"{path} cannot be read as polygons: {error}",
            "choose a different output, or use --overwrite instead of --append",
        ) from error


def append_rows(stream: PolygonStream, existing: Path | None) -> PolygonStream:
    """Return a stream with the rows of ``existing`` (no rows if it is None), followed by those of ``stream``.

    Most formats do not support appending, so the file is rewritten.
    """
    if existing is None:
        return stream
    stream = match_geometry_type(stream, existing)
    old = replace(stream, batches=read_batches(existing, stream.schema), is_multi=False)
    old = old.as_multi() if stream.is_multi else old
    return replace(stream, batches=chain(old.batches, stream.batches))


def match_geometry_type(stream: PolygonStream, existing: Path, *, may_become_multi: bool = True) -> PolygonStream:
    """Convert a stream to the geometry type of an existing file.

    Args:
        stream: Polygons or MultiPolygons.
        existing: The file.
        may_become_multi: True if MultiPolygons can be appended to a file that contains Polygons.

    Raises:
        LayerError: If the file lacks a column of the stream, or if its geometry type would have to change but cannot.
    """
    columns, is_multi = _read_columns(existing)
    missing = [name for name in stream.schema.names if name not in {*columns, GEOMETRY, BBOX}]
    if missing:
        raise LayerError(
            f"{existing} has no column {missing[0]!r}, so nothing can be appended to it",
            "append to a layer written by `geoseg polygonize`, or choose a different output",
        )
    if stream.is_multi and not is_multi and not may_become_multi:
        raise LayerError(
            f"{existing} contains single-part polygons, but the polygons to append may have several parts",
            "append with --connectivity 4 and without --dissolve, or choose a different output",
        )
    return stream.as_multi() if is_multi else stream


def _read_columns(path: Path) -> tuple[list[str], bool]:
    """Read the names of the attributes, and whether the geometries are MultiPolygons."""
    if is_parquet(path):
        return pq.read_schema(path).names, b"MultiPolygon" in pq.read_metadata(path).metadata[b"geo"]
    info = pyogrio.read_info(path, layer=find_layer(path))
    return list(info["fields"]), "Multi" in str(info["geometry_type"])


def _write_geopackage(stream: PolygonStream, path: Path, existing: Path | None) -> None:
    if existing is not None:
        stream = match_geometry_type(stream, existing, may_become_multi=False)
        shutil.copyfile(existing, path)
    _write_with_gdal(stream, path, append=existing is not None)


def _write_flatgeobuf(stream: PolygonStream, path: Path, existing: Path | None) -> None:
    _write_with_gdal(append_rows(stream, existing), path)


def _write_geojson(stream: PolygonStream, path: Path, existing: Path | None) -> None:
    stream = append_rows(stream, existing)
    _write_with_gdal(stream, path, RFC7946="YES", COORDINATE_PRECISION=str(GEOJSON_DIGITS))


def _write_shapefile(stream: PolygonStream, path: Path, existing: Path | None) -> None:
    _write_with_gdal(append_rows(shorten_names(stream), existing), path, ENCODING="UTF-8")


def _write_geoparquet(stream: PolygonStream, path: Path, existing: Path | None) -> None:
    write_parquet(append_rows(stream, existing), path)


def _write_with_gdal(
    stream: PolygonStream, path: Path, *, layer: str = LAYER_NAME, append: bool = False, **options: str
) -> None:
    plain = stream.without_bbox()
    errors: list[BaseException] = []
    with warnings.catch_warnings(), _raise_first(errors):
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)  # layers without a CRS are allowed
        warnings.filterwarnings("ignore", ".*Possible invalid ring orientation.*", RuntimeWarning)
        pyogrio.raw.write_arrow(
            pa.RecordBatchReader.from_batches(plain.schema, _keep_errors(plain.batches, errors)),
            path,
            layer=layer if path.suffix.lower() != ".shp" else None,
            driver=DRIVERS[path.suffix.lower()],
            geometry_type="MultiPolygon" if stream.is_multi else "Polygon",
            crs=None if stream.crs is None else stream.crs.to_wkt(),
            append=append,
            layer_options=options or None,
        )


def _keep_errors(batches: Iterable[pa.RecordBatch], errors: list[BaseException]) -> Iterator[pa.RecordBatch]:
    """Yield batches, and record any error raised while reading them: GDAL replaces exceptions, even Ctrl-C."""
    try:
        yield from batches
    except BaseException as error:
        errors.append(error)
        raise


@contextmanager
def _raise_first(errors: Sequence[BaseException]) -> Iterator[None]:
    """If the ``with`` body raises an exception, raise the first recorded error instead, because it is the cause."""
    try:
        yield
    except Exception:
        if errors:
            raise errors[0] from errors[0].__cause__
        raise


_WRITERS: dict[str, Callable[[PolygonStream, Path, Path | None], None]] = {
    ".gpkg": _write_geopackage,
    ".parquet": _write_geoparquet,
    ".fgb": _write_flatgeobuf,
    ".geojson": _write_geojson,
    ".shp": _write_shapefile,
}
"""Writer function for each suffix; its arguments are the stream, the new file, and the existing file to append to."""
