"""Fills small holes of polygons in memory, and takes away what lies in them."""

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.vector.geometry import regrouped
from geoseg.vector.label import Integers
from geoseg.vector.measure import measured
from geoseg.vector.runs import offsets


def without_small_holes(
    geometries: NDArray[np.object_], crs: CRS, max_area_m2: float
) -> tuple[NDArray[np.object_], Integers]:
    """The polygons without holes under ``max_area_m2`` square metres; and, for each polygon left, its position before."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    is_hole = np.diff(ring_part, prepend=-1) == 0
    areas, _ = measured(np.asarray(shapely.polygons(rings)), crs)
    small = is_hole & (areas < max_area_m2)
    if not small.any():
        return geometries, np.arange(len(geometries))
    kept, part_of_kept = rings[~small], ring_part[~small]
    bounds = offsets(np.bincount(part_of_kept, minlength=len(parts)))
    points, point_ring = shapely.get_coordinates(kept, return_index=True)
    filled = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, points, (offsets(np.bincount(point_ring, minlength=len(kept))), bounds)
    )
    inside, _ = _within(geometries, rings[small])
    left = np.setdiff1d(np.arange(len(geometries)), inside)
    stays = np.isin(owner, left)
    return regrouped(filled[stays], np.searchsorted(left, owner[stays])), left


def _within(geometries: NDArray[np.object_], holes: NDArray[np.object_]) -> tuple[Integers, Integers]:
    """Positions of the polygons that lie in holes, and of the holes."""
    points = shapely.STRtree(shapely.point_on_surface(geometries))
    hole, inside = points.query(np.asarray(shapely.polygons(holes)), predicate="contains")
    return inside.astype(np.int64), hole.astype(np.int64)
