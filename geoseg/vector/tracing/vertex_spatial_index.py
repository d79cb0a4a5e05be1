"""Spatial index of all border vertices, used to count the vertices in a triangle.

Vertices are sorted by row, and from left to right within a row. Grid corners are stored by (row, col); other points are
sorted into rows of height 1. A grid corner takes four bytes of memory, regardless of how many borders meet there.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray


class VertexIndex(NamedTuple):
    """Distinct points sorted by row: the points in row k extend from ``starts[k]`` to ``starts[k + 1]``."""

    starts: IntArray
    """(row + 1,): offsets of the rows."""
    xs: NDArray[np.int32] | FloatArray
    """(point,): x coordinates, ascending within each row."""
    ys: NDArray[np.int32] | FloatArray
    """(point,): y coordinates; empty if the y coordinate of every point is its row number."""

    @classmethod
    def from_points(cls, points: FloatArray) -> Self:
        """Index points (point, 2: x, y) with non-negative y; duplicates are removed."""
        points = np.unique(points, axis=0)
        row = points[:, 1].astype(np.int64)
        order = np.lexsort((points[:, 0], row))
        starts = np.searchsorted(row[order], np.arange(row.max(initial=0) + 2))
        return cls(starts, points[order, 0].copy(), points[order, 1].copy())


class StripVertices(NamedTuple):
    """The vertices in some rows of pixel corners."""

    columns: NDArray[np.int32]
    """(vertex,): columns, row by row, ascending within each row."""
    counts: IntArray
    """(row,): number of vertices in each row."""


class VertexCollector:
    """Collects the vertices of a class raster strip by strip."""

    def __init__(self) -> None:
        self._columns = np.empty(1024, np.int32)
        self._starts = [np.zeros(1, np.int64)]
        self._count = 0

    def add(self, vertices: StripVertices | None) -> None:
        """Add the vertices of the next rows; do nothing if ``vertices`` is None."""
        if vertices is None:
            return
        stop = self._count + len(vertices.columns)
        if stop > len(self._columns):
            larger = np.empty(max(stop, len(self._columns) * 3 // 2), np.int32)  # untouched memory is not allocated
            larger[: self._count] = self._columns[: self._count]
            self._columns = larger
        self._columns[self._count : stop] = vertices.columns
        self._starts.append(self._count + np.cumsum(vertices.counts))
        self._count = stop

    def build_index(self) -> VertexIndex:
        """Index the vertices of all rows added so far."""
        return VertexIndex(np.concatenate(self._starts), self._columns[: self._count], np.empty(0, np.int32))


def find_strip_vertices(block: NDArray[np.int32]) -> StripVertices:
    """Find the vertices at the upper corners of all rows in a block except the first.

    A corner is a vertex unless its four pixels have the same class, or a straight border between two classes runs
    through it.
    """
    columns = np.empty((block.shape[0] - 1) * (block.shape[1] - 1), np.int32)
    counts = np.empty(block.shape[0] - 1, np.int64)
    return StripVertices(columns[: _find_vertices(block, columns, counts)].copy(), counts)


@njit
def _find_vertices(block: NDArray[np.int32], columns: NDArray[np.int32], counts: IntArray) -> int:
    total = 0
    for i in range(1, block.shape[0]):
        before = total
        for j in range(1, block.shape[1]):
            a, b, c, d = block[i - 1, j - 1], block[i - 1, j], block[i, j - 1], block[i, j]
            if not ((a == b and c == d) or (a == c and b == d)):
                columns[total] = j - 1
                total += 1
        counts[i - 1] = total - before
    return total


@njit
def is_inside(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, x: float, y: float) -> bool:
    """Return whether (x, y) is inside triangle a b c or on its border.

    The point must be within the bounds of the triangle, which may be degenerate.
    """
    one = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    two = (cx - bx) * (y - by) - (cy - by) * (x - bx)
    three = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
    return (one >= 0 and two >= 0 and three >= 0) or (one <= 0 and two <= 0 and three <= 0)


@njit
def count_inside(
    starts: IntArray,
    xs: FloatArray,
    ys: FloatArray,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    limit: int,
) -> int:
    """Count the indexed vertices in triangle a b c or on its border; stop once the count exceeds ``limit``.

    The arguments are plain arrays and numbers, because tuples would make simplification several percent slower.
    """
    left, right = min(ax, bx, cx), max(ax, bx, cx)
    low, high = min(ay, by, cy), max(ay, by, cy)
    count = 0
    for row in range(max(int(low), 0), min(int(high), len(starts) - 2) + 1):
        first, last = left, right
        if high - low > 2 and right - left > 4:  # long, slanted triangle: search only the part near this row
            first, last = _clip_to_row(ax, ay, bx, by, cx, cy, row)
        begin, stop = starts[row], starts[row + 1]
        while begin < stop:
            middle = (begin + stop) // 2
            if xs[middle] < first:
                begin = middle + 1
            else:
                stop = middle
        for k in range(begin, starts[row + 1]):
            x, y = float(xs[k]), float(row)
            if len(ys):
                y = ys[k]
            if x > last:
                break
            if low <= y <= high and left <= x <= right and is_inside(ax, ay, bx, by, cx, cy, x, y):
                count += 1
                if count > limit:
                    return count
    return count


@njit
def _clip_to_row(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, row: int) -> tuple[float, float]:
    """Return the x range of triangle a b c between y = row and y = row + 1, slightly enlarged to allow for rounding."""
    first, last = np.inf, -np.inf
    for px, py, qx, qy in ((ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay)):
        if row <= py <= row + 1:
            first, last = min(first, px), max(last, px)
        for level in (row, row + 1):
            if (py < level) != (qy < level):
                x = px + (level - py) / (qy - py) * (qx - px)
                first, last = min(first, x), max(last, x)
    return first - 1e-6, last + 1e-6
