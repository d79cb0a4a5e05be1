"""Outlines of a layer in the pixels of a grid, for drawing polygons over a scene."""

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.vector.layer import PolygonLayer

Line = NDArray[np.float64]
"""(point, 2): row and col in pixels, counted from the upper left corner of the grid's first pixel; closed."""


def pixel_lines(layer: PolygonLayer, grid: Grid) -> list[tuple[int, Line]]:
    """Each ring (shells and holes) of the polygons whose boxes touch the grid: class index and line.

    The layer is reprojected to the grid's CRS if both have one; without, its coordinates are taken as the grid's.
    """
    frame = layer.frame
    if grid.crs is not None and layer.crs is not None and layer.crs != grid.crs:
        frame = frame.to_crs(grid.crs)
    left, bottom, right, top = grid.bounds
    frame = frame.cx[left:right, bottom:top] if len(frame) else frame
    parts, owner = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    points, point_ring = shapely.get_coordinates(rings, return_index=True)
    lines = np.split(_rows_cols(points, grid), np.flatnonzero(np.diff(point_ring)) + 1) if len(rings) else []
    values = frame["class_index"].to_numpy()[owner[ring_part]]
    return [(int(value), line) for value, line in zip(values, lines, strict=True)]


def _rows_cols(points: NDArray[np.float64], grid: Grid) -> Line:
    """(x, y) in CRS units to (row, col) of pixel corners: the inverse of the grid's transform."""
    t = grid.transform
    x, y = points[:, 0] - t.c, points[:, 1] - t.f
    cols = (t.e * x - t.b * y) / t.determinant
    rows = (t.a * y - t.d * x) / t.determinant
    return np.stack([rows, cols], axis=1)
