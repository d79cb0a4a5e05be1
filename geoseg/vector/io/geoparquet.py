"""GeoParquet 1.1: well-known binary with a box per row, row group by row group."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyproj import CRS

from geoseg.vector.io.arrow import BOX, GEOMETRY, Stream

GROUP_BYTES = 32 * 2**20
"""About how large row groups are before they are compressed."""


def write_parquet(stream: Stream, path: Path) -> None:
    """Write a stream; in memory is one row group at a time."""
    schema = _plain(stream.schema)
    bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
    names = [field.name for field in schema if pa.types.is_string(field.type)]  # the others hardly ever repeat
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=names) as writer:
        for table in _groups(stream, schema):
            sides = [table[BOX].combine_chunks().field(k).to_numpy() for k in range(4)]
            bounds[:2] = np.minimum(bounds[:2], [sides[0].min(), sides[1].min()])
            bounds[2:] = np.maximum(bounds[2:], [sides[2].max(), sides[3].max()])
            writer.write_table(table, row_group_size=len(table))
        writer.add_key_value_metadata({"geo": json.dumps(_geo(stream, bounds))})


def read_crs(path: str | Path) -> CRS | None:
    """The CRS of a GeoParquet file; None if it says there is none."""
    columns: dict[str, Any] = json.loads(pq.read_metadata(path).metadata[b"geo"])["columns"]
    crs = next(iter(columns.values())).get("crs", "OGC:CRS84")
    return None if crs is None else CRS.from_user_input(crs if isinstance(crs, str) else json.dumps(crs))


def read_parquet(path: str | Path) -> gpd.GeoDataFrame:
    """All rows in memory, without their boxes."""
    frame = gpd.read_parquet(path)
    return frame.drop(columns=BOX, errors="ignore")


def _plain(schema: pa.Schema) -> pa.Schema:
    """Without GeoArrow's marks, which Parquet would show as another type."""
    at = schema.get_field_index(GEOMETRY)
    return schema.set(at, schema.field(at).remove_metadata())


def _groups(stream: Stream, schema: pa.Schema) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in stream.batches:
        if not batch.num_rows:
            continue
        waiting.append(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
        if sum(each.nbytes for each in waiting) > GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _geo(stream: Stream, bounds: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon" if stream.several else "Polygon"],
        "crs": None if stream.crs is None else stream.crs.to_json_dict(),
        "orientation": "counterclockwise",
        "covering": {BOX: {side: [BOX, side] for side in ("xmin", "ymin", "xmax", "ymax")}},
    }
    if np.isfinite(bounds).all():
        column["bbox"] = bounds.tolist()
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
