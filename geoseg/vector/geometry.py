"""Outlines in pixel corners to shapely polygons in CRS units, all at once."""

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg.vector.join import Outlines


def polygons(outlines: Outlines, transform: Affine) -> NDArray[np.object_]:
    """One geometry per polygon: a Polygon, or a MultiPolygon where it has several parts.

    ``transform`` maps (col, row) of pixel corners to (x, y). Shells run counter-clockwise in (x, y), whichever way the
    transform turns or mirrors.
    """
    cols, rows = outlines.corners[:, 1].astype(np.float64), outlines.corners[:, 0].astype(np.float64)
    t = transform
    points = np.stack([t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f], axis=1)
    parts = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, points, (outlines.ring_offsets, outlines.part_offsets)
    )
    if t.determinant > 0:  # rows run up: what was counter-clockwise is clockwise
        parts = shapely.orient_polygons(parts)
    return regrouped(parts, np.repeat(np.arange(len(outlines)), np.diff(outlines.polygon_offsets)))


def regrouped(parts: NDArray[np.object_], owner: NDArray[np.int64]) -> NDArray[np.object_]:
    """One geometry per owner (ascending numbers, none left out): a Polygon, or a MultiPolygon of its several parts."""
    counts = np.bincount(owner)
    if (counts == 1).all():
        return parts
    geometries: NDArray[np.object_] = parts[np.cumsum(counts) - counts]
    several = counts > 1
    position = np.cumsum(several) - 1
    geometries[several] = shapely.multipolygons(parts[several[owner]], indices=position[owner][several[owner]])
    return geometries
