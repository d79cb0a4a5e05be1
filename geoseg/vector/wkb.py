"""Polygons as well-known binary, a whole batch in one buffer: what Arrow, GDAL and GeoParquet take without a copy.

Numbers are little-endian, as on every processor Python runs on today.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from geoseg.compiled import compiled
from geoseg.vector.label import Integers
from geoseg.vector.runs import offsets

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
