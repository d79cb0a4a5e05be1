"""Remove the vertices of a single arc and round its corners: the numba kernels of ``simplify``.

An *arc* is the border between two polygons from one node to the next (see ``simplify``).

Vertices are removed in order of the area of the triangle p v q that each vertex v forms with its neighbors p and q
(Visvalingam and Whyatt, 1993), smallest first, up to the square of the tolerance. A vertex is kept

* if its triangle contains a vertex of another border, or a kept vertex of the same arc. (If it does not, the side p q
  that replaces the vertex crosses no other border, because a border that crosses p q would have to end inside the
  triangle, or cross p v or v q.)
* if p q would be farther than the tolerance from the vertex, or from a vertex between p and q that was removed earlier.
* if it is the last inner vertex of its arc, and it is to the right of p q, or p q is parallel to the grid, or the
  points are not on a grid. At most one of two arcs between the same nodes can therefore become the side p q. (An arc
  without nodes keeps two vertices in addition to its first one.)

A corner p v q is rounded by a quadratic Bézier curve (the limit of Chaikin's corner cutting) from the midpoint of p v
to the midpoint of v q, unless the triangle formed by v and the two midpoints contains another vertex.
"""

import heapq
from typing import NamedTuple

from geoseg._numba_jit import njit
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray
from geoseg.vector.tracing.vertex_spatial_index import count_inside, is_inside

MAX_REPLACED_VERTICES = 1024
"""Maximum number of vertices that one side may replace, which limits the number of checks for each vertex."""

CURVE_SIDES = 3
"""Number of sides of the curve that rounds a corner."""


class BoundaryOptions(NamedTuple):
    """Options for simplifying and smoothing borders."""

    tolerance: float = 0.0
    """Maximum distance in meters that borders may move; with 0, no vertices are removed."""
    smooth: bool = False
    """True to round corners."""
    x_scale: float = 1.0
    """Distance from x to x + 1 in meters."""
    y_scale: float = 1.0
    """Distance from y to y + 1 in meters."""

    @property
    def is_identity(self) -> bool:
        """True if borders remain unchanged."""
        return not (self.tolerance > 0 or self.smooth)


@njit
def simplify_arc(
    arc: FloatArray,
    count: int,
    starts: IntArray,
    xs: FloatArray,
    ys: FloatArray,
    options: BoundaryOptions,
    before: IntArray,
    after: IntArray,
    kept: IntArray,
) -> int:
    """Select the points of an arc to keep.

    Args:
        arc: Points (point, 2: x, y).
        count: Number of points in the arc; the rest of the array is ignored.
        starts: Row offsets in the index of all nearby vertices; see VertexIndex.
        xs: x coordinates of these vertices.
        ys: y coordinates of these vertices; may be empty, as in VertexIndex.
        options: The tolerance and the scales.
        before: Scratch space of at least ``count`` numbers.
        after: Scratch space of at least ``count`` numbers.
        kept: Receives the positions of the kept points, in order.

    Returns:
        The number of kept points.
    """
    tolerance, x_scale, y_scale = options.tolerance, options.x_scale, options.y_scale
    for k in range(count):
        before[k], after[k] = k - 1, k + 1
    inner = count - 2
    max_area = tolerance * tolerance
    if max_area > 0 and inner > 0:
        is_loop = arc[0, 0] == arc[count - 1, 0] and arc[0, 1] == arc[count - 1, 1]
        min_inner = 2 if is_loop else 0
        heap = [(0.0, 0, 0, 0)]  # triangles p v q: area, v, p, q
        heap.pop()
        for v in range(1, count - 1):
            area = _compute_area(arc, v - 1, v, v + 1) * x_scale * y_scale
            if area <= max_area:
                heap.append((area, v, v - 1, v + 1))
        heapq.heapify(heap)
        while len(heap) > 0 and inner > min_inner:
            _, v, p, q = heapq.heappop(heap)
            if before[v] != p or after[v] != q or p < 0:
                continue  # a neighbor has been removed in the meantime
            if not _is_removable(arc, p, v, q, inner, starts, xs, ys, tolerance, x_scale, y_scale):
                continue
            after[p], before[q], before[v] = q, p, -2
            inner -= 1
            for w in (p, q):
                if 0 < w < count - 1:
                    area = _compute_area(arc, before[w], w, after[w]) * x_scale * y_scale
                    if area <= max_area:
                        heapq.heappush(heap, (area, w, before[w], after[w]))
    kept_count, k = 0, 0
    while k < count:
        kept[kept_count] = k
        kept_count, k = kept_count + 1, after[k]
    return kept_count


@njit
def _compute_area(arc: FloatArray, p: int, v: int, q: int) -> float:
    """Return the area of triangle p v q."""
    one = (arc[v, 0] - arc[p, 0]) * (arc[q, 1] - arc[p, 1])
    return float(abs(one - (arc[q, 0] - arc[p, 0]) * (arc[v, 1] - arc[p, 1])) / 2)


@njit
def _is_removable(
    arc: FloatArray,
    p: int,
    v: int,
    q: int,
    inner: int,
    starts: IntArray,
    xs: FloatArray,
    ys: FloatArray,
    tolerance: float,
    x_scale: float,
    y_scale: float,
) -> bool:
    """Return whether the side p q may replace vertex v, according to the three rules in the module docstring."""
    px, py, vx, vy, qx, qy = arc[p, 0], arc[p, 1], arc[v, 0], arc[v, 1], arc[q, 0], arc[q, 1]
    if q - p > MAX_REPLACED_VERTICES:
        return False
    if inner == 1 and (len(ys) or px == qx or py == qy or (qx - px) * (vy - py) - (qy - py) * (vx - px) >= 0):
        return False
    dx, dy = (qx - px) * x_scale, (qy - py) * y_scale
    square = dx * dx + dy * dy
    for k in range(p + 1, q):
        ex, ey = (arc[k, 0] - px) * x_scale, (arc[k, 1] - py) * y_scale
        part = min(max((ex * dx + ey * dy) / square, 0.0), 1.0) if square > 0 else 0.0
        if (ex - part * dx) ** 2 + (ey - part * dy) ** 2 > tolerance * tolerance:
            return False
    return _is_free(arc, p, q, px, py, vx, vy, qx, qy, starts, xs, ys)


@njit
def _is_free(
    arc: FloatArray,
    p: int,
    q: int,
    ax: float,
    ay: float,
    bx: float,
    by: float,
    cx: float,
    cy: float,
    starts: IntArray,
    xs: FloatArray,
    ys: FloatArray,
) -> bool:
    """Return whether triangle a b c contains no vertices other than those of the arc from ``p`` to ``q``."""
    left, right = min(ax, bx, cx), max(ax, bx, cx)
    low, high = min(ay, by, cy), max(ay, by, cy)
    own = 0
    for k in range(p, q + 1):
        x, y = arc[k, 0], arc[k, 1]
        if left <= x <= right and low <= y <= high and is_inside(ax, ay, bx, by, cx, cy, x, y):
            own += 1
    return count_inside(starts, xs, ys, ax, ay, bx, by, cx, cy, own) <= own


@njit
def smooth_arc(
    arc: FloatArray,
    kept: IntArray,
    kept_count: int,
    starts: IntArray,
    xs: FloatArray,
    ys: FloatArray,
    smooth: bool,
    is_loop: bool,
    out: FloatArray,
    filled: int,
) -> int:
    """Append the kept points of an arc to ``out``, with rounded corners if ``smooth`` is true.

    Args:
        arc: Points (point, 2: x, y); the points of a loop are repeated so that its end point has a successor.
        kept: Positions of the kept points, with space for one more.
        kept_count: Number of kept points.
        starts: Row offsets in the index of all nearby vertices; see VertexIndex.
        xs: x coordinates of these vertices.
        ys: y coordinates of these vertices; may be empty, as in VertexIndex.
        smooth: True to round corners.
        is_loop: True if the arc has no nodes, so its first point, which is also its last point, is an ordinary corner.
        out: Receives the points.
        filled: Number of points in ``out`` so far.

    Returns:
        The new number of points in ``out``.
    """
    if not (smooth and kept_count > 2):
        for k in range(kept_count):
            out[filled + k, 0], out[filled + k, 1] = arc[kept[k], 0], arc[kept[k], 1]
        return filled + kept_count
    begin, last = filled, kept[kept_count - 1]
    kept[kept_count] = last + kept[1]
    if not is_loop:
        out[filled, 0], out[filled, 1] = arc[0, 0], arc[0, 1]
        filled += 1
    for k in range(1, kept_count if is_loop else kept_count - 1):
        p, v, q = kept[k - 1], kept[k], kept[k + 1]
        ax, ay = (arc[p, 0] + arc[v, 0]) / 2, (arc[p, 1] + arc[v, 1]) / 2
        bx, by = arc[v, 0], arc[v, 1]
        cx, cy = (arc[v, 0] + arc[q, 0]) / 2, (arc[v, 1] + arc[q, 1]) / 2
        if not _is_free(arc, p, q, ax, ay, bx, by, cx, cy, starts, xs, ys):
            out[filled, 0], out[filled, 1] = bx, by
            filled += 1
            continue
        # A curve begins where the previous one ends, except at the start of the arc or after a corner that was not
        # rounded.
        has_start = filled > begin and out[filled - 1, 0] == ax and out[filled - 1, 1] == ay
        for step in range(1 if has_start else 0, CURVE_SIDES + 1):
            t = step / CURVE_SIDES
            out[filled, 0] = (1 - t) ** 2 * ax + 2 * t * (1 - t) * bx + t * t * cx
            out[filled, 1] = (1 - t) ** 2 * ay + 2 * t * (1 - t) * by + t * t * cy
            filled += 1
    if not is_loop:
        out[filled, 0], out[filled, 1] = arc[last, 0], arc[last, 1]
    elif out[filled - 1, 0] == out[begin, 0] and out[filled - 1, 1] == out[begin, 1]:
        return filled  # the last curve ends where the first one begins
    else:
        out[filled, 0], out[filled, 1] = out[begin, 0], out[begin, 1]
    return filled + 1
