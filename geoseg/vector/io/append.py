"""Rows behind those a file has already. Most formats cannot grow, so the old rows pass through once more, in batches."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from pyproj import CRS

from geoseg.errors import LayerError
from geoseg.vector.io.arrow import BOX, GEOMETRY, LAYER, Stream, boxes
from geoseg.vector.io.geoparquet import read_crs


def crs_of(path: Path) -> CRS | None:
    """The CRS of a vector file; :class:`LayerError` if it cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            return read_crs(path)
        crs = pyogrio.read_info(path, layer=layer_of(path))["crs"]
        return CRS.from_user_input(crs) if crs else None
    except Exception as error:  # damage shows in as many ways as there are libraries
        raise LayerError(
            f"{path} cannot be read as polygons: {error}", "give another output, or --overwrite instead of --append"
        ) from error


def layer_of(path: Path) -> str | None:
    """The layer of a file that polygons are in: of the formats with several layers, ours, or the only one."""
    names = [str(name) for name, geometry in pyogrio.list_layers(path) if geometry is not None]
    return LAYER if LAYER in names else (names[0] if names else None)


def behind(stream: Stream, before: Path | None) -> Stream:
    """The rows of a file that geoseg wrote (None: no rows), then the stream's."""
    if before is None:
        return stream
    stream = like(stream, before)
    old = replace(stream, batches=rows(before, stream.schema), several=False)
    old = old.with_several() if stream.several else old
    return replace(stream, batches=chain(old.batches, stream.batches))


def like(stream: Stream, before: Path, *, may_grow: bool = True) -> Stream:
    """The stream with geometries of the file's kind; :class:`LayerError` if it lacks one of the stream's columns.

    Unless it ``may_grow`` from Polygons to MultiPolygons, also if it would have to.
    """
    columns, several = _columns(before)
    missing = [name for name in stream.schema.names if name not in {*columns, GEOMETRY, BOX}]
    if missing:
        raise LayerError(
            f"{before} has no column {missing[0]!r}, so nothing can be appended to it",
            "append to a layer that `geoseg polygonize` wrote, or give another output",
        )
    if stream.several and not several and not may_grow:
        raise LayerError(
            f"{before} holds polygons of one part, but those to append may have several",
            "append with --connectivity 4 and without --dissolve, or give another output",
        )
    return stream.with_several() if several else stream


def _columns(path: Path) -> tuple[list[str], bool]:
    """Names of the attributes, and whether there are MultiPolygons."""
    if path.suffix.lower() == ".parquet":
        schema = pq.read_schema(path)
        return schema.names, b"MultiPolygon" in pq.read_metadata(path).metadata[b"geo"]
    info = pyogrio.read_info(path, layer=layer_of(path))
    return list(info["fields"]), "Multi" in str(info["geometry_type"])


def rows(path: Path, schema: pa.Schema, *, where: str | None = None) -> Iterator[pa.RecordBatch]:
    """A file's rows in the columns of ``schema``; ``where`` is a condition in SQL, for files that GDAL reads."""
    if path.suffix.lower() == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches():
            yield _in_columns(batch, GEOMETRY, schema)
        return
    with pyogrio.raw.open_arrow(path, layer=layer_of(path), where=where, use_pyarrow=True) as (meta, reader):
        for batch in reader:
            yield _in_columns(batch, meta["geometry_name"] or "wkb_geometry", schema)


def _in_columns(batch: pa.RecordBatch, geometry: str, schema: pa.Schema) -> pa.RecordBatch:
    wkb = batch.column(geometry)
    wkb = wkb.storage if isinstance(wkb, pa.ExtensionArray) else wkb
    bounds: np.ndarray[Any, Any] = shapely.bounds(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
    own = {GEOMETRY: wkb.cast(pa.binary()), BOX: boxes(bounds.reshape(-1, 4))}
    columns = [own[field.name] if field.name in own else batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
