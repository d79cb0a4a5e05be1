"""Borders of polygons in memory simplified and rounded: the rule of ``arcs``, for layers that come from files.

The polygons should be a *coverage*: shared borders have the same vertices on both sides. Where they are not, each side of
a border is a border of its own, and the two may move apart by the tolerance.
"""

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.vector.generalize.simplify_boundaries import Shaping, reshaped
from geoseg.vector.geometry_arrays import Shapes
from geoseg.vector.measure import metric
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.vertex_index import Vertices


def reshaped_coverage(
    geometries: NDArray[np.object_], crs: CRS, *, tolerance_m: float = 0.0, smooth: bool = False
) -> NDArray[np.object_]:
    """The polygons with fewer vertices and round corners; see ``arcs``. Nodes and the corners of the layer's box, if there
    are vertices, do not move; polygons never vanish.
    """
    if not len(geometries) or not (tolerance_m > 0 or smooth):
        return geometries
    shapes = Shapes.of(geometries)
    unit, lowest = _frame(shapes.points)
    points = shapes.points / unit
    points[:, 1] -= lowest
    left, bottom, right, top = shapely.total_bounds(geometries)
    middle = np.array((left + right) / 2), np.array((bottom + top) / 2)
    e, _, g, _ = metric(crs, *middle, max(right - left, top - bottom))
    shaping = Shaping(tolerance_m, smooth, across=float(e**0.5 * unit), down=float(g**0.5 * unit))
    found = reshaped(_outlines(points, shapes), Vertices.of(points), shaping)
    moved = found.corners[:, ::-1].astype(np.float64)
    moved[:, 1] += lowest
    return replace(shapes, points=moved * unit, rings=found.ring_offsets).geometries()


def _frame(points: NDArray[np.float64]) -> tuple[float, int]:
    """A height of rows that puts few points in each, and the lowest row.

    A power of two, and whole rows: coordinates that are divided and shifted by these come back to the last bit.
    """
    low, high = points[:, 1].min(), points[:, 1].max()
    unit = 2.0 ** np.ceil(np.log2(max(high - low, 1e-12) / max(np.sqrt(len(points)), 1)))
    return unit, int(np.floor(low / unit))


def _outlines(points: NDArray[np.float64], shapes: Shapes) -> Outlines:
    """The shapes as outlines, whose nodes are vertices at which other than two sides end."""
    none = np.zeros(len(shapes.polygons) - 1, np.int64)
    return Outlines(
        corners=np.ascontiguousarray(points[:, ::-1]),
        nodes=_nodes(points, shapes),
        ring_offsets=shapes.rings,
        part_offsets=shapes.parts,
        polygon_offsets=shapes.polygons,
        values=none,
        pixels=none,
        ids=none,
        means=none.astype(np.float64),
    )


def _nodes(points: NDArray[np.float64], shapes: Shapes) -> NDArray[np.bool_]:
    _, name = np.unique(points, axis=0, return_inverse=True)
    is_side = np.ones(len(points), np.bool_)
    is_side[shapes.rings[1:] - 1] = False  # a ring's last point is its first one again
    sides = np.flatnonzero(is_side)
    ends = np.sort(np.stack([name[sides], name[sides + 1]], axis=1), axis=1)
    degree = np.bincount(np.unique(ends, axis=0).ravel(), minlength=len(points))
    corners = ((points == points.min(axis=0)) | (points == points.max(axis=0))).all(axis=1)  # of the layer's box
    nodes: NDArray[np.bool_] = (degree[name] != 2) | corners
    return nodes
