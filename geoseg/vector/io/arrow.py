"""Streams of polygons as Arrow batches, which are the input to the writers for all formats."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import geopandas as gpd
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._numba_jit import njit
from geoseg.vector.polygon_arrays import PolygonArrays
from geoseg.vector.tracing.ragged_arrays import IntArray, to_offsets

CLASS_COLUMN = "class_name"
"""Column with the name of the class of each polygon."""

ID_COLUMN = "polygon_id"
"""Column with the identifier of each polygon, unique within a file."""

GEOMETRY, BBOX = "geometry", "bbox"
"""Columns of every stream: the geometry as well-known binary (WKB), and the bounds of the geometry."""

BBOX_FIELD = pa.field(BBOX, pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")]))
"""The bounding box covering of GeoParquet 1.1, which allows readers to skip rows."""

FLOAT_ATTRIBUTES = {"area_m2", "perimeter_m", "confidence"}
"""Attributes that are numeric even if all their values are null."""

BATCH_ROWS = 65_536
"""Number of rows per batch when a GeoDataFrame is streamed."""


@dataclass(frozen=True)
class PolygonStream:
    """Polygons with attributes, in batches that can be read only once."""

    schema: pa.Schema
    """Fields of the attributes, the geometry and the bounds."""
    batches: Iterable[pa.RecordBatch]
    """The rows."""
    crs: CRS | None
    """CRS of the coordinates; None if unknown."""
    is_multi: bool
    """True if all geometries are MultiPolygons, False if all are Polygons."""

    @classmethod
    def from_frame(cls, frame: gpd.GeoDataFrame) -> Self:
        """Stream a GeoDataFrame; if any geometry is a MultiPolygon, all are converted to MultiPolygons."""
        geometries = frame.geometry.to_numpy()
        is_multi = bool((shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOLYGON).any())
        attributes = pa.Table.from_pandas(frame.drop(columns=frame.geometry.name), preserve_index=False)
        attributes = attributes.cast(pa.schema([_require_type(field) for field in attributes.schema]))
        schema = pa.schema([*attributes.schema, make_geometry_field(frame.crs), BBOX_FIELD])
        batches = _frame_batches(attributes, geometries, schema, is_multi=is_multi)
        return cls(schema, batches, frame.crs, is_multi)

    def to_frame(self) -> gpd.GeoDataFrame:
        """Read all rows into memory, without the bounds column."""
        stream = self.without_bbox()
        table = pa.Table.from_batches(stream.batches, stream.schema)
        frame = table.drop_columns([GEOMETRY]).to_pandas()
        wkb = table[GEOMETRY].to_numpy(zero_copy_only=False)
        geometry = shapely.from_wkb(wkb) if len(wkb) else np.empty(0, object)
        return gpd.GeoDataFrame(frame, geometry=geometry, crs=self.crs)

    def without_bbox(self) -> Self:
        """Return the stream without the bounds column, for formats with their own spatial index."""
        schema = self.schema.remove(self.schema.get_field_index(BBOX))
        return replace(self, schema=schema, batches=(batch.select(schema.names) for batch in self.batches))

    def as_multi(self) -> Self:
        """Return the stream with every Polygon converted to a MultiPolygon with one part."""
        if self.is_multi:
            return self
        return replace(self, is_multi=True, batches=(_to_multi(batch) for batch in self.batches))


def _require_type(field: pa.Field) -> pa.Field:
    """Replace the null type, which files cannot store, with a float or string type."""
    known_type = pa.float64() if field.name in FLOAT_ATTRIBUTES else pa.string()
    return field.with_type(known_type) if pa.types.is_null(field.type) else field


def _frame_batches(
    attributes: pa.Table, geometries: NDArray[np.object_], schema: pa.Schema, *, is_multi: bool
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(geometries), BATCH_ROWS):
        rows = geometries[start : start + BATCH_ROWS]
        wkb = _encode_multi(rows) if is_multi else shapely.to_wkb(rows)
        columns = attributes.slice(start, BATCH_ROWS).combine_chunks().to_batches()[0].columns
        bbox = encode_bbox(shapely.bounds(rows))
        yield pa.RecordBatch.from_arrays([*columns, pa.array(wkb, pa.binary()), bbox], schema=schema)


def _to_multi(batch: pa.RecordBatch) -> pa.RecordBatch:
    position = batch.schema.get_field_index(GEOMETRY)
    wkb = _encode_multi(shapely.from_wkb(batch.column(position).to_numpy(zero_copy_only=False)))
    columns = batch.columns
    columns[position] = pa.array(wkb, pa.binary())
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _encode_multi(geometries: NDArray[np.object_]) -> Any:
    """Encode Polygons and MultiPolygons as WKB MultiPolygons."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    return shapely.to_wkb(shapely.multipolygons(parts, indices=owner)) if len(parts) else []


def make_geometry_field(crs: CRS | None) -> pa.Field:
    """Create the field for a WKB column in a CRS, with GeoArrow metadata."""
    extension = {"crs": crs.to_json_dict()} if crs is not None else {}
    metadata = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": json.dumps(extension)}
    return pa.field(GEOMETRY, pa.binary(), metadata=metadata)


def encode_bbox(bounds: NDArray[np.float64]) -> pa.Array:
    """Create the bounds column from bounds (row, 4): left, bottom, right, top."""
    return pa.StructArray.from_arrays([pa.array(side) for side in bounds.T], fields=list(BBOX_FIELD.type))


POLYGON, MULTIPOLYGON = 3, 6
"""Geometry type codes of OGC Simple Features."""


def encode_wkb(polygons: PolygonArrays, *, is_multi: bool) -> pa.Array:
    """Encode polygons as little-endian WKB.

    Args:
        polygons: Polygons with a total encoded size of less than 2 GB.
        is_multi: True to encode MultiPolygons, False to encode each polygon's only part as a Polygon.

    Returns:
        A binary array with one geometry per polygon.
    """
    rings, parts, offsets = polygons.ring_offsets, polygons.part_offsets, polygons.polygon_offsets
    stops = to_offsets(_count_bytes(rings, parts, offsets, is_multi=is_multi))
    buffer = np.empty(stops[-1], np.uint8)
    _fill(buffer, polygons.points.reshape(-1).view(np.uint8), rings, parts, offsets, is_multi)
    buffers = [None, pa.py_buffer(stops.astype(np.int32)), pa.py_buffer(buffer)]
    return pa.Array.from_buffers(pa.binary(), len(polygons), buffers)


def _count_bytes(rings: IntArray, parts: IntArray, polygons: IntArray, *, is_multi: bool) -> IntArray:
    """Return the encoded size of each polygon in bytes."""
    bytes_per_part = 9 + 4 * np.diff(parts) + 16 * np.diff(rings[parts])
    return np.diff(to_offsets(bytes_per_part)[polygons]) + (9 if is_multi else 0)


@njit
def _fill(
    buffer: NDArray[np.uint8],
    points: NDArray[np.uint8],
    rings: IntArray,
    parts: IntArray,
    polygons: IntArray,
    is_multi: bool,
) -> None:
    at = 0
    for polygon in range(len(polygons) - 1):
        if is_multi:
            buffer[at] = 1
            _put(buffer, at + 1, MULTIPOLYGON)
            _put(buffer, at + 5, polygons[polygon + 1] - polygons[polygon])
            at += 9
        for part in range(polygons[polygon], polygons[polygon + 1]):
            buffer[at] = 1
            _put(buffer, at + 1, POLYGON)
            _put(buffer, at + 5, parts[part + 1] - parts[part])
            at += 9
            for ring in range(parts[part], parts[part + 1]):
                first, stop = 16 * rings[ring], 16 * rings[ring + 1]
                _put(buffer, at, (stop - first) // 16)
                at += 4
                buffer[at : at + stop - first] = points[first:stop]
                at += stop - first


@njit
def _put(buffer: NDArray[np.uint8], at: int, number: int) -> None:
    """Write an integer as four little-endian bytes."""
    for k in range(4):
        buffer[at + k] = (number >> (8 * k)) & 255
