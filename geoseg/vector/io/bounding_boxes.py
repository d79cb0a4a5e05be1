"""Compute the bounds of a grid in the CRS of a layer, to read only the features near the grid.

A grid that crosses the seam of the CRS (see :mod:`geoseg.grid.seam`) has a box on each side of the map. Where x repeats, as
in longitudes and in EPSG:3857, polygons may lie one turn away from the grid, so each box is repeated.
"""

import numpy as np
from pyproj import CRS
from pyproj.exceptions import ProjError

from geoseg.grid.crs import full_turn, make_transformer
from geoseg.grid.grid import Bounds, Grid
from geoseg.grid.seam import Seam, crosses_seam, find_seam

EDGE_POINTS = 21
"""Number of points per side when bounds are reprojected, because straight sides become curves."""

BOX_MARGIN = 0.02
"""Fraction of its size by which a reprojected box is enlarged, because its sides are curves between the points."""


def find_boxes(grid: Grid, crs: CRS | None) -> list[Bounds] | None:
    """Return the bounds of a grid in the given CRS: one box, or several if x repeats or the grid crosses a seam.

    Returns:
        Boxes (left, bottom, right, top) in CRS units; None if they are unknown, which means no restriction.
    """
    if crs is None or grid.crs is None:
        return [grid.bounds] if crs is grid.crs else None
    seam = find_seam(crs)
    if grid.crs == crs:
        boxes = [_enlarge(grid.bounds) if crs.is_geographic else grid.bounds]
    elif seam is None or crs.is_geographic or not crosses_seam(grid, crs):
        boxes = _transform_box(grid.bounds, grid.crs, crs)
    else:
        boxes = [part for box in _transform_box(grid.bounds, grid.crs, seam.base) for part in _project_box(box, seam)]
    if not boxes or not np.isfinite(boxes).all():
        return None
    if seam is None or seam.period is None:
        return boxes
    period = seam.period
    return [
        (left + k * period, bottom, right + k * period, top) for k in (0, -1, 1) for left, bottom, right, top in boxes
    ]


def _transform_box(box: Bounds, source: CRS, target: CRS) -> list[Bounds]:
    """Return the enlarged bounds of a box in another CRS; an empty list if PROJ cannot compute them."""
    try:
        left, bottom, right, top = make_transformer(source, target).transform_bounds(*box, densify_pts=EDGE_POINTS)
    except ProjError:
        return []
    if target.is_geographic:
        right += full_turn(target) * (right < left)  # across the antimeridian
    return [_enlarge((left, bottom, right, top))]


def _project_box(box: Bounds, seam: Seam) -> list[Bounds]:
    """Return the bounds of a box in longitude and latitude on the map: one box on each side of the seam."""
    half = seam.turn / 2
    west, south, east, north = box
    west, east = west - seam.central_meridian, east - seam.central_meridian
    boxes: list[Bounds] = []
    for k in (-1, 0, 1):
        left, right = max(west + k * seam.turn, -half), min(east + k * seam.turn, half)
        if left < right:
            latitudes = np.clip(np.linspace(south, north, EDGE_POINTS), -half / 2, half / 2)
            x, y = np.meshgrid(np.linspace(left, right, EDGE_POINTS), latitudes)
            points = seam.from_relative(np.column_stack([x.ravel(), y.ravel()]))
            (x_min, y_min), (x_max, y_max) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
            boxes.append(_enlarge((x_min, y_min, x_max, y_max)))
    return boxes


def _enlarge(box: Bounds) -> Bounds:
    left, bottom, right, top = box
    margin = BOX_MARGIN * max(right - left, top - bottom)
    return left - margin, bottom - margin, right + margin, top + margin
