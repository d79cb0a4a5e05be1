"""Fewer vertices and round corners without gaps, overlaps or crossings, each border on its own.

Rings are cut at *nodes*, where three or four borders meet, into *arcs*. An arc is changed by a rule that knows the arc
itself, in a direction that its own ends decide, and the vertices the layer had before. So both polygons along an arc
change it alike, without knowing of each other, in any order, in any batch: blocks of work leave no traces.

What becomes of an arc is said in ``bends``. Nodes are never moved.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.compiled import compiled
from geoseg.vector.bends import PARABOLA, round_corners, thin
from geoseg.vector.label import Integers
from geoseg.vector.outlines import Outlines
from geoseg.vector.vertices import Floats, Vertices


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
