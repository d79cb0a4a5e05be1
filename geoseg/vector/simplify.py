"""Fewer vertices without gaps or overlaps: borders that two polygons share are simplified once, for both.

Simplifying polygons one by one moves the two sides of a border apart: a few per cent of the area end up in gaps and as
much in overlaps. A *coverage*, polygons whose shared borders have the same vertices on both sides, can be simplified
border by border instead; ``trace`` makes coverages.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from geoseg.vector.geometry import regrouped


def simplified_coverage(geometries: NDArray[np.object_], tolerance: float) -> NDArray[np.object_]:
    """The coverage with fewer vertices; still a coverage, nodes where three polygons meet unmoved.

    Vertices go by the area of the triangle they span with their neighbours (Visvalingam and Whyatt, 1993), down to
    ``tolerance`` squared, in units of the CRS: one pixel straightens the staircase of a slanting border. Polygons never
    vanish. That the polygons are a coverage is for the caller to know: ``shapely.coverage_is_valid`` would tell, but takes
    quadratic time over large polygons (a minute for 800 x 800 pixels of land cover, which simplify in half a second).
    """
    if tolerance <= 0 or not len(geometries):
        return geometries
    parts, owner = shapely.get_parts(geometries, return_index=True)
    return regrouped(shapely.coverage_simplify(parts, tolerance), owner)
