"""Read and write GeoParquet 1.1, with geometries as well-known binary (WKB) and a bounding box for each row."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyproj import CRS

from geoseg.grid.grid import Bounds
from geoseg.vector.io.arrow import BBOX, GEOMETRY, PolygonStream
from geoseg.vector.io.parquet_layer import ParquetLayer

ROW_GROUP_BYTES = 32 * 2**20
"""Approximate size of a row group in bytes, before compression."""


def is_parquet(path: str | Path) -> bool:
    """Return True if a file has the suffix of GeoParquet files."""
    return Path(path).suffix.lower() == ".parquet"


def write_parquet(stream: PolygonStream, path: Path) -> None:
    """Write a stream, keeping only one row group at a time in memory."""
    schema = _without_extension(stream.schema)
    bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
    text = [field.name for field in schema if pa.types.is_string(field.type)]  # other values rarely repeat
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=text) as writer:
        for table in _row_groups(stream, schema):
            sides = [table[BBOX].combine_chunks().field(k).to_numpy() for k in range(4)]
            bounds[:2] = np.minimum(bounds[:2], [sides[0].min(), sides[1].min()])
            bounds[2:] = np.maximum(bounds[2:], [sides[2].max(), sides[3].max()])
            writer.write_table(table, row_group_size=len(table))
        writer.add_key_value_metadata({"geo": json.dumps(_make_metadata(stream, bounds))})


def read_parquet_crs(path: str | Path) -> CRS | None:
    """Read the CRS of a GeoParquet file; return None if the metadata declares that there is none."""
    return ParquetLayer.open(str(path)).crs


def read_parquet(path: str | Path, boxes: Sequence[Bounds] | None = None) -> gpd.GeoDataFrame:
    """Read rows into memory, without the bounds column.

    Args:
        path: A GeoParquet file.
        boxes: If given, and if the file has a bounds column, only rows whose bounds intersect a box or are null are read;
            row groups without such rows are skipped.
    """
    layer = ParquetLayer.open(str(path))
    layer.require_memory(layer.file.schema_arrow.names, rows=layer.rows)
    bounds = layer.bounds_fields if boxes else None
    frame = gpd.read_parquet(path, filters=None if bounds is None else _intersects_any(bounds, boxes or ()))
    return frame.drop(columns=BBOX, errors="ignore")


def _intersects_any(bounds: Sequence[pc.Expression], boxes: Sequence[Bounds]) -> pc.Expression:
    """Return the condition that a row's bounds intersect a box or are null."""
    x_min, y_min, x_max, y_max = bounds
    condition = x_min.is_null(nan_is_null=True)
    for left, bottom, right, top in boxes:
        condition |= (x_min <= right) & (x_max >= left) & (y_min <= top) & (y_max >= bottom)
    return condition


def _without_extension(schema: pa.Schema) -> pa.Schema:
    """Drop the GeoArrow metadata, because it would change the column type that Parquet readers report."""
    position = schema.get_field_index(GEOMETRY)
    return schema.set(position, schema.field(position).remove_metadata())


def _row_groups(stream: PolygonStream, schema: pa.Schema) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    for batch in stream.batches:
        if not batch.num_rows:
            continue
        pending.append(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
        if sum(rows.nbytes for rows in pending) > ROW_GROUP_BYTES:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)


def _make_metadata(stream: PolygonStream, bounds: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon" if stream.is_multi else "Polygon"],
        "crs": None if stream.crs is None else stream.crs.to_json_dict(),
        "orientation": "counterclockwise",
        "covering": {BBOX: {side: [BBOX, side] for side in ("xmin", "ymin", "xmax", "ymax")}},
    }
    if np.isfinite(bounds).all():
        column["bbox"] = bounds.tolist()
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
