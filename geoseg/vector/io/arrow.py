"""Polygons on their way to a file: Arrow batches, made as they are written. Whatever the layer, all formats take this."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg._numba import compiled
from geoseg.legend import Legend
from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.ragged_arrays import offsets

GEOMETRY, BOX = "geometry", "bbox"
"""Columns that every stream has: well-known binary, and the box around it."""

BOX_FIELD = pa.field(BOX, pa.struct([(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")]))
"""What readers of GeoParquet use to skip rows."""

LAYER = "polygons"
"""The layer's name in the files that name their layers."""

ROWS = 65_536
"""Rows of a batch made of a frame."""


@dataclass(frozen=True)
class Stream:
    """Polygons with attributes, to be read once."""

    schema: pa.Schema
    """Attributes, geometry and box."""
    batches: Iterable[pa.RecordBatch]
    """The rows."""
    crs: CRS | None
    """CRS of the coordinates; None if unknown."""
    several: bool
    """True if geometries are MultiPolygons, False if Polygons."""
    legend: Callable[[], Legend | None]
    """Classes and colours; asked when all rows have passed."""

    def without_box(self) -> "Stream":
        """The stream for formats that keep boxes in their own way."""
        schema = self.schema.remove(self.schema.get_field_index(BOX))
        return replace(self, schema=schema, batches=(batch.select(schema.names) for batch in self.batches))

    def with_several(self) -> "Stream":
        """The stream with MultiPolygons, many of one part."""
        if self.several:
            return self
        return replace(self, several=True, batches=(_with_several(batch) for batch in self.batches))


def _with_several(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Polygons become MultiPolygons of one part."""
    at = batch.schema.get_field_index(GEOMETRY)
    geometries = shapely.from_wkb(batch.column(at).to_numpy(zero_copy_only=False))
    parts, owner = shapely.get_parts(geometries, return_index=True)
    wkb: Any = shapely.to_wkb(shapely.multipolygons(parts, indices=owner)) if len(parts) else []
    columns = batch.columns
    columns[at] = pa.array(wkb, pa.binary())
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def geometry_field(crs: CRS | None) -> pa.Field:
    """The field of well-known binary in a CRS, as GeoArrow marks it."""
    extra = {"crs": crs.to_json_dict()} if crs is not None else {}
    metadata = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": json.dumps(extra)}
    return pa.field(GEOMETRY, pa.binary(), metadata=metadata)


def boxes(bounds: NDArray[np.float64]) -> pa.Array:
    """The box column of (row, 4): left, bottom, right, top."""
    return pa.StructArray.from_arrays([pa.array(side) for side in bounds.T], fields=list(BOX_FIELD.type))


def of_frame(frame: gpd.GeoDataFrame, legend: Legend | None) -> Stream:
    """The stream of a frame in memory; Polygons become MultiPolygons if there are any."""
    geometries = frame.geometry.to_numpy()
    several = bool((shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOLYGON).any())
    attributes = pa.Table.from_pandas(frame.drop(columns=frame.geometry.name), preserve_index=False)
    attributes = attributes.cast(pa.schema([_known_type(field) for field in attributes.schema]))
    schema = pa.schema([*attributes.schema, geometry_field(frame.crs), BOX_FIELD])
    return Stream(
        schema, _frame_batches(attributes, geometries, schema, several=several), frame.crs, several, lambda: legend
    )


def _known_type(field: pa.Field) -> pa.Field:
    """Columns in which nothing is known are numbers if ours are, else text: files have no type for nothing."""
    numbers = {"area_m2", "perimeter_m", "confidence"}
    nothing = pa.float64() if field.name in numbers else pa.string()
    return field.with_type(nothing) if pa.types.is_null(field.type) else field


def _frame_batches(
    attributes: pa.Table, geometries: NDArray[np.object_], schema: pa.Schema, *, several: bool
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(geometries), ROWS):
        some = geometries[start : start + ROWS]
        if several:
            parts, owner = shapely.get_parts(some, return_index=True)
            wkb = shapely.to_wkb(shapely.multipolygons(parts, indices=owner))
        else:
            wkb = shapely.to_wkb(some)
        columns = attributes.slice(start, ROWS).combine_chunks().to_batches()[0].columns
        yield pa.RecordBatch.from_arrays(
            [*columns, pa.array(wkb, pa.binary()), boxes(shapely.bounds(some))], schema=schema
        )


def to_frame(stream: Stream) -> gpd.GeoDataFrame:
    """All rows in memory."""
    table = pa.Table.from_batches(stream.without_box().batches, stream.without_box().schema)
    frame = table.drop_columns([GEOMETRY]).to_pandas()
    wkb = table[GEOMETRY].to_numpy(zero_copy_only=False)
    geometry = shapely.from_wkb(wkb) if len(wkb) else np.empty(0, object)
    return gpd.GeoDataFrame(frame, geometry=geometry, crs=stream.crs)


POLYGON, MULTIPOLYGON = 3, 6
"""Geometry types of OGC Simple Features."""


def encoded(
    points: NDArray[np.float64], rings: Integers, parts: Integers, polygons: Integers, *, several: bool
) -> pa.Array:
    """A binary Arrow array (of less than 2 GB) with one geometry per polygon: MultiPolygons if ``several``, else Polygons
    of their only part.

    ``points`` (point, 2) are x and y; the others are offsets of rings in points, parts in rings, polygons in parts.
    """
    stops = offsets(_sizes(rings, parts, polygons, several=several))
    buffer = np.empty(stops[-1], np.uint8)
    _fill(buffer, points.reshape(-1).view(np.uint8), rings, parts, polygons, several)
    pieces = [None, pa.py_buffer(stops.astype(np.int32)), pa.py_buffer(buffer)]
    return pa.Array.from_buffers(pa.binary(), len(polygons) - 1, pieces)


def _sizes(rings: Integers, parts: Integers, polygons: Integers, *, several: bool) -> Integers:
    """Bytes of each polygon."""
    of_parts = 9 + 4 * np.diff(parts) + 16 * np.diff(rings[parts])
    return np.diff(offsets(of_parts)[polygons]) + (9 if several else 0)


@compiled
def _fill(
    buffer: NDArray[np.uint8],
    points: NDArray[np.uint8],
    rings: Integers,
    parts: Integers,
    polygons: Integers,
    several: bool,
) -> None:
    at = 0
    for polygon in range(len(polygons) - 1):
        if several:
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


@compiled
def _put(buffer: NDArray[np.uint8], at: int, number: int) -> None:
    """Four bytes, the lowest first."""
    for k in range(4):
        buffer[at + k] = (number >> (8 * k)) & 255
