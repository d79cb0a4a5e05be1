"""Outlines in pixel corners to shapely polygons in CRS units, all at once."""

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg.vector.rings import Outlines


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
    counts = np.diff(outlines.polygon_offsets)
    if (counts == 1).all():
        return parts
    geometries = parts[outlines.polygon_offsets[:-1]]
    several = np.repeat(counts > 1, counts)
    owner = np.repeat(np.cumsum(counts > 1) - 1, counts)
    geometries[counts > 1] = shapely.multipolygons(parts[several], indices=owner[several])
    return geometries
