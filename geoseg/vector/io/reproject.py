"""Reproject polygons to the CRS of a grid, including polygons with long edges, at the antimeridian, or at a pole.

Ordinary polygons are transformed vertex by vertex. Four cases need special treatment:

* An edge longer than one degree or 100 km is a curve in the target CRS, so intermediate vertices are added.
* A polygon that extends beyond the area of use of the grid's CRS is first clipped to the surroundings of the grid.
* In a geographic CRS, an edge longer than half a turn crosses the antimeridian, so the longitudes of its polygon are
  continued beyond 180 degrees. (The exception is an edge of a full turn, which belongs to a box around the world.) A
  ring around a pole is extended to the pole.
* Longitudes may start at -180 or at 0, so a polygon is shifted by full turns to the longitudes of the grid.
"""

import math

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely.affinity import translate

from geoseg.errors import LayerError
from geoseg.grid.grid import Bounds, Grid, crs_name, full_turn, make_transformer
from geoseg.vector.io.select_polygons import unite_polygons

EDGE_POINTS = 21
"""Number of points per side when bounds are reprojected, because straight sides become curves."""

BOX_MARGIN = 0.02
"""Margin by which a reprojected box is enlarged, as a fraction of its size, because its sides curve between points."""

LONGEST_EDGE_DEG = 1.0
LONGEST_EDGE_M = 100_000.0
"""Length of the longest edges for which only the end points are transformed."""

WHOLE_TURN_TOLERANCE = 1e-6
"""Tolerance for the length of an edge around the world, as a fraction of a full turn."""


def require_transformable(source: CRS | None, target: CRS | None, name: str = "the layer") -> None:
    """Check that coordinates can be transformed from the CRS of a layer to the CRS of a grid.

    Raises:
        LayerError: If only one of the two has a CRS.
        GridMismatch: If PROJ has no transformation, for example from an engineering CRS.
    """
    if (source is None) != (target is None):
        without, other = ("the grid", name) if target is None else (name, "the grid")
        raise LayerError(
            f"{without} has no CRS, but {other} is in {crs_name(source or target)}", f"assign a CRS to {without}"
        )
    if source is not None and target is not None:
        make_transformer(source, target)


def match_crs(frame: gpd.GeoDataFrame, crs: CRS | None) -> gpd.GeoDataFrame:
    """Reproject features of any geometry type to a CRS, vertex by vertex; if both CRSs are None, do nothing.

    Raises:
        LayerError: If the features have a CRS and ``crs`` is None, or the other way around.
        GridMismatch: If PROJ has no transformation between the two CRSs.
    """
    require_transformable(frame.crs, crs)
    return frame if crs is None or frame.crs == crs else frame.to_crs(crs)


def find_boxes(grid: Grid, crs: CRS | None) -> list[Bounds] | None:
    """Return the bounds of a grid in the given CRS: one box, or several if the CRS is geographic.

    Returns:
        Boxes (left, bottom, right, top) in CRS units; None if they are unknown, so that features cannot be filtered.
    """
    if crs is None or grid.crs is None:
        return [grid.bounds] if crs is grid.crs else None
    box: Bounds = grid.bounds
    if grid.crs != crs:
        try:
            box = make_transformer(grid.crs, crs).transform_bounds(*grid.bounds, densify_pts=EDGE_POINTS)
        except ProjError:
            return None
        if not np.isfinite(box).all():
            return None
    left, bottom, right, top = box
    if not crs.is_geographic:
        return [_enlarge(box)] if grid.crs != crs else [box]
    turn = full_turn(crs)
    right += turn * (right < left)  # across the antimeridian
    enlarged = _enlarge((left, bottom, right, top))
    return [(enlarged[0] + k * turn, enlarged[1], enlarged[2] + k * turn, enlarged[3]) for k in (0, -1, 1)]


def _enlarge(box: Bounds) -> Bounds:
    left, bottom, right, top = box
    margin = BOX_MARGIN * max(right - left, top - bottom)
    return left - margin, bottom - margin, right + margin, top + margin


def reproject_polygons(frame: gpd.GeoDataFrame, grid: Grid, *, name: str = "the layer") -> tuple[gpd.GeoDataFrame, int]:
    """Reproject polygons to the CRS of a grid, and shift longitudes to the range of the grid.

    Args:
        frame: Valid polygons.
        grid: The grid; polygons that are far from it may be clipped or left out.
        name: Name of the layer to use in messages.

    Returns:
        A GeoDataFrame with valid polygons in the CRS of the grid, or ``frame`` itself if neither has a CRS; and the
        number of polygons with edges longer than half a turn, which were interpreted as crossing the antimeridian.

    Raises:
        LayerError: If only one of ``frame`` and the grid has a CRS.
        GridMismatch: If PROJ has no transformation between the two CRSs.
    """
    source = None if frame.crs is None else CRS.from_user_input(frame.crs)
    require_transformable(source, grid.crs, name)
    if source is None or grid.crs is None or not len(frame):
        return frame, 0
    geometries, crossing = frame.geometry.to_numpy(), 0
    if source != grid.crs:
        geometries, crossing = _transform_polygons(geometries, source, grid)
    if grid.crs.is_geographic:
        geometries = _move_to_grid(geometries, grid, full_turn(grid.crs))
    if geometries is frame.geometry.to_numpy():
        return frame, 0
    result = frame.set_geometry(gpd.GeoSeries(geometries, index=frame.index), crs=None)
    return result.set_crs(grid.crs, allow_override=True)[~shapely.is_empty(geometries)], crossing


def _transform_polygons(geometries: NDArray[np.object_], source: CRS, grid: Grid) -> tuple[NDArray[np.object_], int]:
    """Transform polygons, and count those with edges longer than half a turn.

    Polygons outside the area of use of the target CRS become empty.
    """
    assert grid.crs is not None
    transformer, boxes = make_transformer(source, grid.crs), find_boxes(grid, source)
    geometries, crossing = geometries.copy(), 0
    if source.is_geographic:
        is_wrapped = _has_edge_over(geometries, full_turn(source))
        geometries[is_wrapped] = [_unwrap(each, full_turn(source)) for each in geometries[is_wrapped]]
        crossing = int(is_wrapped.sum())
    limit = _longest_edge(source)
    is_long = _longest_edges(geometries) > limit
    transformed = geometries.copy()
    transformed[~is_long] = _transform(geometries[~is_long], transformer)
    special = is_long | ~_is_finite(transformed)
    for i in np.flatnonzero(special):
        nearby = geometries[i] if boxes is None else _clip_to(geometries[i], boxes)
        moved = _transform(np.array([shapely.segmentize(nearby, limit)]), transformer)
        transformed[i] = moved[0] if _is_finite(moved)[0] else shapely.Polygon()
    if grid.crs.is_geographic:
        is_wrapped = _has_edge_over(transformed, full_turn(grid.crs))
        transformed[is_wrapped] = [_unwrap(each, full_turn(grid.crs)) for each in transformed[is_wrapped]]
    for i in np.flatnonzero(~shapely.is_valid(transformed)):
        transformed[i] = unite_polygons([shapely.make_valid(transformed[i])])
    return transformed, crossing


def _transform(geometries: NDArray[np.object_], transformer: Transformer) -> NDArray[np.object_]:
    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)

    moved: NDArray[np.object_] = shapely.transform(geometries, move)
    return moved


def _longest_edge(crs: CRS) -> float:
    """Return the length of the longest edge, in CRS units, for which only the end points are transformed."""
    if crs.is_geographic:
        return LONGEST_EDGE_DEG * full_turn(crs) / 360
    return LONGEST_EDGE_M / (crs.axis_info[0].unit_conversion_factor if crs.axis_info else 1.0)


def _edges(geometries: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the vectors of all edges (edge, 2), and the position of the polygon that each edge belongs to."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    is_edge = ring[1:] == ring[:-1]
    return np.diff(points, axis=0)[is_edge], owner[part[ring[1:][is_edge]]]


def _longest_edges(geometries: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return, for each polygon, the largest extent of an edge along either axis."""
    edges, owner = _edges(geometries)
    longest = np.zeros(len(geometries))
    np.maximum.at(longest, owner, np.abs(edges).max(axis=1, initial=0))
    return longest


def _has_edge_over(geometries: NDArray[np.object_], turn: float) -> NDArray[np.bool_]:
    """Return which polygons have an edge that spans more than half a turn along x, but less than a full turn."""
    edges, owner = _edges(geometries)
    length = np.abs(edges[:, 0])
    found = np.zeros(len(geometries), np.bool_)
    found[owner[(length > turn / 2) & (length < turn * (1 - WHOLE_TURN_TOLERANCE))]] = True
    return found


def _is_finite(geometries: NDArray[np.object_]) -> NDArray[np.bool_]:
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    finite = np.ones(len(geometries), np.bool_)
    finite[owner[~np.isfinite(points).all(axis=1)]] = False
    return finite


def _clip_to(geometry: shapely.Geometry, boxes: list[Bounds]) -> shapely.Geometry:
    """Clip a polygon to boxes that are enlarged on each side by their own size."""
    pieces = []
    for left, bottom, right, top in boxes:
        pad = max(right - left, top - bottom)
        pieces.append(shapely.intersection(geometry, shapely.box(left - pad, bottom - pad, right + pad, top + pad)))
    return unite_polygons(pieces)


def _unwrap(geometry: shapely.Geometry, turn: float) -> shapely.Geometry:
    """Continue the rings of a geometry beyond the antimeridian so that no edge is longer than half a turn."""
    united = []
    for polygon in shapely.get_parts(geometry):
        shell, *holes = (_unwrap_ring(ring, turn) for ring in (polygon.exterior, *polygon.interiors))
        for hole in holes:
            for k in (-2, -1, 0, 1, 2):
                shell = shapely.difference(shell, translate(hole, k * turn))
        united.append(shell)
    return unite_polygons(united)


def _unwrap_ring(ring: shapely.LinearRing, turn: float) -> shapely.Geometry:
    """Return the interior of a ring with continuous longitudes; a ring around a pole is extended to the pole."""
    points = shapely.get_coordinates(ring)
    x, y = np.unwrap(points[:, 0], period=turn), points[:, 1]
    if abs(x[-1] - x[0]) > turn / 2:
        pole = math.copysign(turn / 4, float(y.mean()))
        x, y = np.append(x, [x[-1], x[0]]), np.append(y, [pole, pole])
    return shapely.make_valid(shapely.Polygon(np.stack([x, y], axis=1)))


def _move_to_grid(geometries: NDArray[np.object_], grid: Grid, turn: float) -> NDArray[np.object_]:
    """Shift polygons by full turns to the longitudes of the grid; repeat a polygon if several shifts fit."""
    left, _, right, _ = grid.bounds
    bounds = shapely.bounds(geometries)
    first, last = np.ceil((left - bounds[:, 2]) / turn), np.floor((right - bounds[:, 0]) / turn)
    needs_move = (first <= last) & ((first != 0) | (last != 0))
    if not needs_move.any():
        return geometries
    moved = geometries.copy()
    for i in np.flatnonzero(needs_move):
        turns = range(int(first[i]), int(last[i]) + 1)
        moved[i] = unite_polygons([translate(geometries[i], k * turn) for k in turns])
    return moved
