"""Fewer vertices and round corners without gaps, overlaps or crossings, each border on its own.

Rings are cut at *nodes*, where three or four borders meet, into *arcs*. An arc is changed by a rule that knows the arc
itself, in a direction that its own ends decide, and the vertices the layer had before. So both polygons along an arc
change it alike, without knowing of each other, in any order, in any batch: blocks of work leave no traces.

What becomes of an arc is said in ``bends``. Nodes are never moved.
"""

import heapq
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg._numba import compiled
from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.vertex_index import Floats, Vertices, count_inside, is_inside


@dataclass(frozen=True)
class Shaping:
    """How borders are changed; lengths in metres."""

    tolerance: float = 0.0
    """How far borders may move; 0 leaves all vertices."""
    smooth: bool = False
    """Whether corners are rounded."""
    across: float = 1.0
    """Metres from one column to the next (from x to x + 1)."""
    down: float = 1.0
    """Metres from one row to the next (from y to y + 1)."""

    def __bool__(self) -> bool:
        return self.tolerance > 0 or self.smooth


def reshaped(outlines: Outlines, vertices: Vertices, shaping: Shaping) -> Outlines:
    """The outlines with other corners between their nodes; ``vertices`` are those of all polygons around."""
    if not shaping or not len(outlines):
        return outlines
    points = outlines.corners[:, ::-1].astype(np.float64)
    longest = int(np.diff(outlines.ring_offsets).max())
    out = np.empty(((PARABOLA + 1 if shaping.smooth else 1) * len(points) + 2, 2))
    offsets = np.zeros_like(outlines.ring_offsets)
    _reshape(
        points, outlines.nodes, outlines.ring_offsets, vertices.starts, vertices.x, vertices.y,
        shaping.tolerance, shaping.smooth, shaping.across, shaping.down, longest, out, offsets,
    )  # fmt: skip
    corners = np.ascontiguousarray(out[: offsets[-1], ::-1])
    return replace(outlines, corners=corners, nodes=np.zeros(len(corners), np.bool_), ring_offsets=offsets)


@compiled
def _reshape(
    points: Floats,
    nodes: NDArray[np.bool_],
    rings: Integers,
    starts: Integers,
    xs: Any,
    ys: Any,
    tolerance: float,
    smooth: bool,
    across: float,
    down: float,
    longest: int,
    out: Floats,
    offsets: Integers,
) -> None:
    """Fills ``out`` (point, 2) and ``offsets`` (ring + 1)."""
    arc, kept = np.empty((2 * longest + 1, 2)), np.empty(longest + 2, np.int64)
    before, after = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    filled = 0
    for ring in range(len(rings) - 1):
        first, size = rings[ring], rings[ring + 1] - rings[ring] - 1
        begin = 0
        while begin < size and not nodes[first + begin]:
            begin += 1
        has_nodes = begin < size
        if not has_nodes:
            begin = _uppermost(points, first, size)
        at, ring_start = 0, filled
        while at < size:
            count = 1
            while at + count < size and not nodes[first + (begin + at + count) % size]:
                count += 1
            for k in range(count + 1):
                source = first + (begin + at + k) % size
                arc[k, 0], arc[k, 1] = points[source, 0], points[source, 1]
            flipped = _is_flipped(arc, count)
            if flipped:
                _flip(arc, count + 1)
            if not has_nodes:  # once more, so that the corner at its beginning has a next one
                arc[count + 1 : 2 * count + 1] = arc[1 : count + 1]
            left = thin(arc, count + 1, starts, xs, ys, tolerance, across, down, before, after, kept)
            stop = round_corners(arc, kept, left, starts, xs, ys, smooth, not has_nodes, out, filled)
            if flipped:
                _flip(out[filled:stop], stop - filled)
            filled = stop - 1  # the next arc begins with the node this one ends with
            at += count
        out[filled, 0], out[filled, 1] = out[ring_start, 0], out[ring_start, 1]
        filled += 1
        offsets[ring + 1] = filled


@compiled
def _uppermost(points: Floats, first: int, size: int) -> int:
    """Which of a ring's points comes first by y, then by x: where both polygons along it begin if it has no nodes."""
    begin = 0
    for k in range(1, size):
        x, y = points[first + k, 0], points[first + k, 1]
        if y < points[first + begin, 1] or (y == points[first + begin, 1] and x < points[first + begin, 0]):
            begin = k
    return begin


@compiled
def _is_flipped(arc: Floats, last: int) -> bool:
    """Whether an arc (points 0 to ``last``) runs against its own direction: from its upper end, left of the lower one."""
    ax, ay, bx, by = arc[0, 0], arc[0, 1], arc[last, 0], arc[last, 1]
    if ax == bx and ay == by:  # back at its beginning: to the upper of its two neighbours
        ax, ay, bx, by = arc[1, 0], arc[1, 1], arc[last - 1, 0], arc[last - 1, 1]
    return bool(ay > by or (ay == by and ax > bx))


@compiled
def _flip(points: Floats, count: int) -> None:
    for k in range(count // 2):
        for axis in range(2):
            points[k, axis], points[count - 1 - k, axis] = points[count - 1 - k, axis], points[k, axis]


LONGEST = 1024
"""No side replaces more vertices than this: what is checked for each vertex on the way stays short."""

PARABOLA = 3
"""Into how many sides a corner is rounded."""


@compiled
def thin(
    arc: Floats,
    count: int,
    starts: Integers,
    xs: Floats,
    ys: Floats,
    tolerance: float,
    across: float,
    down: float,
    before: Integers,
    after: Integers,
    kept: Integers,
) -> int:
    """Fills ``kept`` with the points of the arc that stay; gives how many."""
    for k in range(count):
        before[k], after[k] = k - 1, k + 1
    inner = count - 2
    limit = tolerance * tolerance
    if limit > 0 and inner > 0:
        loop = arc[0, 0] == arc[count - 1, 0] and arc[0, 1] == arc[count - 1, 1]
        fewest = 2 if loop else 0
        heap = [(0.0, 0, 0, 0)]
        heap.pop()
        for v in range(1, count - 1):
            area = _area(arc, v - 1, v, v + 1) * across * down
            if area <= limit:
                heap.append((area, v, v - 1, v + 1))
        heapq.heapify(heap)
        while len(heap) > 0 and inner > fewest:
            _, v, p, q = heapq.heappop(heap)
            if before[v] != p or after[v] != q or p < 0:
                continue  # out of date
            if not _may_go(arc, p, v, q, inner, starts, xs, ys, tolerance, across, down):
                continue
            after[p], before[q], before[v] = q, p, -2
            inner -= 1
            for w in (p, q):
                if 0 < w < count - 1:
                    area = _area(arc, before[w], w, after[w]) * across * down
                    if area <= limit:
                        heapq.heappush(heap, (area, w, before[w], after[w]))
    left, k = 0, 0
    while k < count:
        kept[left] = k
        left, k = left + 1, after[k]
    return left


@compiled
def _area(arc: Floats, p: int, v: int, q: int) -> float:
    one = (arc[v, 0] - arc[p, 0]) * (arc[q, 1] - arc[p, 1])
    return float(abs(one - (arc[q, 0] - arc[p, 0]) * (arc[v, 1] - arc[p, 1])) / 2)


@compiled
def _may_go(
    arc: Floats,
    p: int,
    v: int,
    q: int,
    inner: int,
    starts: Integers,
    xs: Floats,
    ys: Floats,
    tolerance: float,
    across: float,
    down: float,
) -> bool:
    """Whether the side p q may take the place of vertex v; the three rules of the module."""
    px, py, vx, vy, qx, qy = arc[p, 0], arc[p, 1], arc[v, 0], arc[v, 1], arc[q, 0], arc[q, 1]
    if q - p > LONGEST:
        return False
    if inner == 1 and (len(ys) or px == qx or py == qy or (qx - px) * (vy - py) - (qy - py) * (vx - px) >= 0):
        return False
    dx, dy = (qx - px) * across, (qy - py) * down
    square = dx * dx + dy * dy
    for k in range(p + 1, q):
        ex, ey = (arc[k, 0] - px) * across, (arc[k, 1] - py) * down
        part = min(max((ex * dx + ey * dy) / square, 0.0), 1.0) if square > 0 else 0.0
        if (ex - part * dx) ** 2 + (ey - part * dy) ** 2 > tolerance * tolerance:
            return False
    return _is_free(arc, p, q, px, py, vx, vy, qx, qy, starts, xs, ys)


@compiled
def _is_free(
    arc: Floats,
    p: int,
    q: int,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    starts: Integers,
    xs: Floats,
    ys: Floats,
) -> bool:
    """Whether the triangle a b c holds no vertices but those of the arc from ``p`` to ``q``."""
    left, right = min(ax, bx, cx), max(ax, bx, cx)
    low, high = min(ay, by, cy), max(ay, by, cy)
    own = 0
    for k in range(p, q + 1):
        x, y = arc[k, 0], arc[k, 1]
        if left <= x <= right and low <= y <= high and is_inside(ax, ay, bx, by, cx, cy, x, y):
            own += 1
    return count_inside(starts, xs, ys, ax, ay, bx, by, cx, cy, own) <= own


@compiled
def round_corners(
    arc: Floats,
    kept: Integers,
    left: int,
    starts: Integers,
    xs: Floats,
    ys: Floats,
    smooth: bool,
    free: bool,
    out: Floats,
    filled: int,
) -> int:
    """Puts the arc's points that stay behind the ``filled`` ones; gives how many there are then.

    ``free``: the arc has no nodes, so that its first point, which is its last one too, is a corner like all others.
    """
    if not (smooth and left > 2):
        for k in range(left):
            out[filled + k, 0], out[filled + k, 1] = arc[kept[k], 0], arc[kept[k], 1]
        return filled + left
    begin, last = filled, kept[left - 1]
    kept[left] = last + kept[1]
    if not free:
        out[filled, 0], out[filled, 1] = arc[0, 0], arc[0, 1]
        filled += 1
    for k in range(1, left if free else left - 1):
        p, v, q = kept[k - 1], kept[k], kept[k + 1]
        ax, ay = (arc[p, 0] + arc[v, 0]) / 2, (arc[p, 1] + arc[v, 1]) / 2
        bx, by = arc[v, 0], arc[v, 1]
        cx, cy = (arc[v, 0] + arc[q, 0]) / 2, (arc[v, 1] + arc[q, 1]) / 2
        if not _is_free(arc, p, q, ax, ay, bx, by, cx, cy, starts, xs, ys):
            out[filled, 0], out[filled, 1] = bx, by
            filled += 1
            continue
        for step in range(PARABOLA + 1):
            t = step / PARABOLA
            out[filled, 0] = (1 - t) ** 2 * ax + 2 * t * (1 - t) * bx + t * t * cx
            out[filled, 1] = (1 - t) ** 2 * ay + 2 * t * (1 - t) * by + t * t * cy
            filled += 1
    if free:
        out[filled, 0], out[filled, 1] = out[begin, 0], out[begin, 1]
    else:
        out[filled, 0], out[filled, 1] = arc[last, 0], arc[last, 1]
    return filled + 1
