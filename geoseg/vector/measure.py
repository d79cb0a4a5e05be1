"""Square metres and metres of border of shapely polygons."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.vector.geometry import Shapes
from geoseg.vector.ground import Ground

Floats = NDArray[np.float64]


def measured(geometries: NDArray[np.object_], crs: CRS | None) -> tuple[Floats, Floats]:
    """Area in square metres and perimeter in metres of each polygon, on the ellipsoid; NaN for all without CRS."""
    if crs is None or not len(geometries):
        return np.full(len(geometries), math.nan), np.full(len(geometries), math.nan)
    shapes = Shapes.of(geometries)
    left, bottom, right, top = (float(side) for side in shapely.total_bounds(geometries))
    ground = Ground.under(crs, (left, bottom, right, top))
    areas, lengths, _ = ground.measure(shapes.points, shapes.rings, shapes.polygon_rings)
    return areas, lengths
