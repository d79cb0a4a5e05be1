"""What becomes of an arc (see ``arcs``): vertices go, corners become round.

Thinning. Vertices go by the area of the triangle p v q they span with their neighbours (Visvalingam and Whyatt, 1993),
the smallest first, down to the tolerance squared. A vertex stays

* if its triangle holds a vertex of any other border, or one that its own arc will keep. Otherwise the side p q that takes
  its place crosses nothing: what crosses it would have to end in the triangle, or to cross p v or v q;
* if a vertex that has gone between p and q would lie further than the tolerance from p q;
* if it is the arc's last one and lies to the right of p q, or p q runs along the grid (or there is none): of two arcs
  between the same nodes at most one becomes that side. (Of an arc without nodes, two vertices stay besides its first.)

Rounding. A corner p v q becomes a parabola from the middle of p v to the middle of v q (what Chaikin's corner cutting
tends to), if the triangle of v and the middles holds no vertex of others.
"""

import heapq

from geoseg.compiled import compiled
from geoseg.vector.label import Integers
from geoseg.vector.vertices import Floats, count_inside, is_inside

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
