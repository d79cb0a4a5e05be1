"""All places at which borders bend or meet, to be asked what lies in a triangle.

Places are kept row by row, in each row from left to right: a grid's corners (row, col) as they are, others in rows of a
height of our choice. In memory a corner of a grid is one number of four bytes, whatever borders meet there.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.vector.tracing.connected_components import Integers

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Vertices:
    """Distinct points in rows: those of row k are from ``starts[k]`` to ``starts[k + 1]``."""

    starts: Integers
    """(row + 1,): where rows begin, and the last one ends."""
    x: NDArray[np.int32] | Floats
    """(point,): ascending in each row."""
    y: NDArray[np.int32] | Floats
    """(point,), or empty if every point's y is its row's number."""

    @classmethod
    def of(cls, points: Floats) -> Self:
        """Of points (point, 2: x, y), y not negative; equal ones count once."""
        points = np.unique(points, axis=0)
        row = points[:, 1].astype(np.int64)
        order = np.lexsort((points[:, 0], row))
        starts = np.searchsorted(row[order], np.arange(row.max(initial=0) + 2))
        return cls(starts, points[order, 0].copy(), points[order, 1].copy())


class Corners:
    """Collects the vertices of a class raster, strip by strip."""

    def __init__(self) -> None:
        self._x = np.empty(1024, np.int32)
        self._starts = [np.zeros(1, np.int64)]
        self._count = 0

    def add(self, found: "Found | None") -> None:
        """Take the vertices of the next rows, if they were looked for."""
        if found is None:
            return
        columns, counts = found
        stop = self._count + len(columns)
        if stop > len(self._x):
            larger = np.empty(max(stop, len(self._x) * 3 // 2), np.int32)  # memory that is not touched costs nothing
            larger[: self._count] = self._x[: self._count]
            self._x = larger
        self._x[self._count : stop] = columns
        self._starts.append(self._count + np.cumsum(counts))
        self._count = stop

    def vertices(self) -> Vertices:
        """Those of all rows so far."""
        return Vertices(np.concatenate(self._starts), self._x[: self._count], np.empty(0, np.int32))


Found = tuple[NDArray[np.int32], Integers]
"""The columns of vertices, row by row, and how many each row has."""


def corners_of(block: NDArray[np.int32]) -> Found:
    """Vertices on the upper corners of a block's rows but the first: columns (see ``trace``), and how many in each row.

    A corner is one unless all its pixels are of one class, or a straight border between two runs through it.
    """
    columns = np.empty((block.shape[0] - 1) * (block.shape[1] - 1), np.int32)
    counts = np.empty(block.shape[0] - 1, np.int64)
    return columns[: _find_corners(block, columns, counts)].copy(), counts


@compiled
def _find_corners(block: NDArray[np.int32], columns: NDArray[np.int32], counts: Integers) -> int:
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


@compiled
def is_inside(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, x: float, y: float) -> bool:
    """True if (x, y) lies in the closed triangle a b c, which may be flat, and lies in its box."""
    one = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    two = (cx - bx) * (y - by) - (cy - by) * (x - bx)
    three = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
    return (one >= 0 and two >= 0 and three >= 0) or (one <= 0 and two <= 0 and three <= 0)


@compiled
def count_inside(
    starts: Integers,
    xs: Floats,
    ys: Floats,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    enough: int,
) -> int:
    """How many vertices lie in the closed triangle a b c; stops counting beyond ``enough``."""
    left, right = min(ax, bx, cx), max(ax, bx, cx)
    low, high = min(ay, by, cy), max(ay, by, cy)
    count = 0
    for row in range(max(int(low), 0), min(int(high), len(starts) - 2) + 1):
        first, last = left, right
        if high - low > 2 and right - left > 4:  # long and slanted: only its part near this row
            first, last = _reach(ax, ay, bx, by, cx, cy, row)
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
                if count > enough:
                    return count
    return count


@compiled
def _reach(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, row: int) -> tuple[float, float]:
    """Smallest and largest x of a triangle between y = row and y = row + 1; a little more, for rounding."""
    first, last = np.inf, -np.inf
    for px, py, qx, qy in ((ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay)):
        if row <= py <= row + 1:
            first, last = min(first, px), max(last, px)
        for level in (row, row + 1):
            if (py < level) != (qy < level):
                x = px + (level - py) / (qy - py) * (qx - px)
                first, last = min(first, x), max(last, x)
    return first - 1e-6, last + 1e-6
