"""Reproject polygons to the CRS of a grid, including polygons with long edges, at the antimeridian, or at a pole.

Ordinary polygons are transformed vertex by vertex. Four cases need special treatment:

* An edge longer than one degree or 100 km is a curve in the target CRS, so intermediate vertices are added.
* A polygon that extends beyond the area of use of the grid's CRS is first clipped to the surroundings of the grid.
* An edge longer than half a turn of longitude crosses the antimeridian, the seam of the CRS (see :mod:`geoseg.grid.seam`),
  so its polygon is continued beyond the seam. (An edge of a full turn belongs to a box around the world.) A ring around a
  pole is extended to the pole. On a projected map, a long edge may also be a straight line, so the polygon crosses the seam
  only if its long edges connect opposite sides of the map, and it is closer to a square if it does. In a CRS whose x does
  not repeat, the polygon is cut at the seam.
* Longitudes may start at -180 or at 0, so a polygon is shifted by full turns to the longitudes of the grid. The same
  applies to x in EPSG:3857 and other cylindrical projections.
"""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from shapely.affinity import translate

from geoseg.errors import LayerError
from geoseg.grid.crs import crs_name, find_turns, make_transformer
from geoseg.grid.grid import Bounds, Grid
from geoseg.grid.seam import Seam, find_seam
from geoseg.vector.antimeridian import cut_at_antimeridian, longest_edge
from geoseg.vector.io.bounding_boxes import find_boxes
from geoseg.vector.io.select_polygons import unite_polygons

SIDE_TO_SIDE = 0.9
"""Length from which an edge on a projected map connects opposite sides of the map, as a fraction of a full turn."""

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


def reproject_polygons(frame: gpd.GeoDataFrame, grid: Grid, *, name: str = "the layer") -> tuple[gpd.GeoDataFrame, int]:
    """Reproject polygons to the CRS of a grid, and shift longitudes to the range of the grid.

    Args:
        frame: Valid polygons.
        grid: The grid; polygons that are far from it may be clipped or left out.
        name: Name of the layer to use in messages.

    Returns:
        A GeoDataFrame with valid polygons in the CRS of the grid, or ``frame`` itself if neither has a CRS; and the
        number of polygons that were interpreted as crossing the seam of their CRS, because of their long edges.

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
    seam = find_seam(grid.crs)
    if seam is not None and seam.period is not None:
        geometries = _move_to_grid(geometries, grid, seam.period)
    if geometries is frame.geometry.to_numpy():
        return frame, 0
    result = frame.set_geometry(gpd.GeoSeries(geometries, index=frame.index), crs=None)
    return result.set_crs(grid.crs, allow_override=True)[~shapely.is_empty(geometries)], crossing


def describe_crossing(crs: CRS) -> str:
    """Describe polygons that were interpreted as crossing the seam of their CRS, for a note about their number."""
    seam = find_seam(crs)
    if seam is None or crs.is_geographic:
        return "with edges longer than 180 degrees, interpreted as crossing the antimeridian"
    return (
        f"with edges from one side of the map to the other, interpreted as crossing the seam of {crs_name(crs)} at "
        f"longitude {seam.longitude:g}"
    )


def _transform_polygons(geometries: NDArray[np.object_], source: CRS, grid: Grid) -> tuple[NDArray[np.object_], int]:
    """Transform polygons, and count the polygons that cross the seam of the source CRS.

    Polygons outside the area of use of the target CRS become empty.
    """
    assert grid.crs is not None
    transformer = make_transformer(source, grid.crs)
    geometries, crossing = _mend_crossing(geometries, source, is_drawn=not source.is_geographic)
    is_long = _longest_edges(geometries) > longest_edge(source)
    transformed = geometries.copy()
    transformed[~is_long] = _transform(geometries[~is_long], transformer)
    special = is_long | ~_is_finite(transformed)
    transformed[special] = _transform_nearby(geometries[special], source, transformer, grid)
    transformed, _ = _mend_crossing(transformed, grid.crs)
    beyond = ~_is_finite(transformed)  # cut at a seam that reaches a pole at infinity
    nearby = _transform_nearby(geometries[beyond], source, transformer, grid)
    transformed[beyond] = _empty_if_infinite(_mend_crossing(nearby, grid.crs)[0])
    for i in np.flatnonzero(~shapely.is_valid(transformed)):
        transformed[i] = unite_polygons([shapely.make_valid(transformed[i])])
    return transformed, crossing


def _transform_nearby(
    geometries: NDArray[np.object_], source: CRS, transformer: Transformer, grid: Grid
) -> NDArray[np.object_]:
    """Transform the parts of polygons in the surroundings of a grid, with vertices added to long edges."""
    if not len(geometries):
        return geometries
    boxes = find_boxes(grid, source)
    if boxes is not None:
        geometries = np.array([_clip_to(each, boxes) for each in geometries], dtype=object)
    dense = shapely.segmentize(geometries, longest_edge(source))
    return _empty_if_infinite(_transform(_pull_inside(dense, source), transformer))


def _empty_if_infinite(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    """Replace polygons with infinite coordinates by empty ones."""
    finite = geometries.copy()
    finite[~_is_finite(geometries)] = shapely.Polygon()
    return finite


def _mend_crossing(
    geometries: NDArray[np.object_], crs: CRS, *, is_drawn: bool = False
) -> tuple[NDArray[np.object_], int]:
    """Continue or cut the polygons that cross the seam of their CRS, and return their number.

    Args:
        geometries: The polygons.
        crs: CRS of the polygons.
        is_drawn: Whether long edges may be straight lines on the map instead of short edges across the seam.
    """
    seam, mended = find_seam(crs), geometries.copy()
    if seam is None or not len(geometries):
        return mended, 0
    if seam.period is not None:
        is_crossing = _find_crossing(geometries, seam.period, is_drawn=is_drawn)
        mended[is_crossing] = [_unwrap(each, seam) for each in geometries[is_crossing]]
        return mended, int(is_crossing.sum())
    left, bottom, right, top = shapely.total_bounds(geometries).tolist()
    if seam.is_far_from((left, bottom, right, top)):
        return mended, 0
    relative = shapely.transform(_pull_inside(geometries, crs), lambda points: seam.to_relative(points, crs))
    relative = _empty_if_infinite(relative)
    is_crossing = _find_crossing(relative, seam.turn, is_drawn=is_drawn)
    cut = cut_at_antimeridian(relative[is_crossing], seam.base)
    mended[is_crossing] = shapely.transform(cut, seam.from_relative)
    return mended, int(is_crossing.sum())


def _transform(geometries: NDArray[np.object_], transformer: Transformer) -> NDArray[np.object_]:
    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)

    moved: NDArray[np.object_] = shapely.transform(geometries, move)
    return moved


def _pull_inside(geometries: Any, crs: CRS) -> NDArray[np.object_]:
    """Move vertices that rounding errors have placed beyond the border of the map onto it."""
    seam = find_seam(crs)
    moved: NDArray[np.object_] = np.atleast_1d(np.array(geometries, dtype=object))
    if seam is not None and seam.period is None:
        moved = shapely.transform(moved, seam.pull_inside)
    return moved


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


def _find_crossing(geometries: NDArray[np.object_], turn: float, *, is_drawn: bool) -> NDArray[np.bool_]:
    """Return which polygons have an edge that spans more than half a turn along x, but less than a full turn.

    If long edges may be drawn on the map, all of them must connect opposite sides of it (see :func:`_is_wrapped`).
    """
    edges, owner = _edges(geometries)
    length = np.abs(edges[:, 0]) / turn
    found = np.zeros(len(geometries), np.bool_)
    found[owner[(length > 0.5) & (length < 1 - WHOLE_TURN_TOLERANCE)]] = True
    if is_drawn:
        found[owner[(length > 0.5) & (length < SIDE_TO_SIDE)]] = False
        found[found] = [_is_wrapped(each, turn) for each in geometries[found]]
    return found


def _is_wrapped(geometry: shapely.Geometry, turn: float) -> bool:
    """Return whether a polygon is closer to a square if its western half is moved by a full turn to the east."""
    x, y = shapely.get_coordinates(geometry).T
    moved = x + turn * (x < (x.min() + x.max()) / 2)
    return bool(np.ptp(y) ** 2 < np.ptp(x) * np.ptp(moved))


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


def _unwrap(geometry: shapely.Geometry, seam: Seam) -> shapely.Geometry:
    """Continue the rings of a geometry beyond the seam, so that no edge is longer than half a turn."""
    assert seam.period is not None
    united = []
    for polygon in shapely.get_parts(geometry):
        shell, *holes = (_unwrap_ring(ring, seam) for ring in (polygon.exterior, *polygon.interiors))
        for hole in holes:
            for k in (-2, -1, 0, 1, 2):
                shell = shapely.difference(shell, translate(hole, k * seam.period))
        united.append(shell)
    return unite_polygons(united)


def _unwrap_ring(ring: shapely.LinearRing, seam: Seam) -> shapely.Geometry:
    """Return the interior of a ring with continuous x; a ring around a pole is extended to the pole."""
    assert seam.period is not None
    points = shapely.get_coordinates(ring)
    x, y = np.unwrap(points[:, 0], period=seam.period), points[:, 1]
    if abs(x[-1] - x[0]) > seam.period / 2:
        pole = min((seam.pole_y(sign) for sign in (-1, 1)), key=lambda pole: abs(pole - float(y.mean())))
        x, y = np.append(x, [x[-1], x[0]]), np.append(y, [pole, pole])
    return shapely.make_valid(shapely.Polygon(np.stack([x, y], axis=1)))


def _move_to_grid(geometries: NDArray[np.object_], grid: Grid, turn: float) -> NDArray[np.object_]:
    """Shift polygons by full turns of x to the grid; repeat a polygon if several shifts fit."""
    left, _, right, _ = grid.bounds
    bounds = shapely.bounds(geometries)
    first, last = find_turns(turn, bounds[:, 0], bounds[:, 2], left=left, right=right)
    needs_move = (first <= last) & ((first != 0) | (last != 0))
    if not needs_move.any():
        return geometries
    moved = geometries.copy()
    for i in np.flatnonzero(needs_move):
        turns = range(int(first[i]), int(last[i]) + 1)
        moved[i] = unite_polygons([translate(geometries[i], k * turn) for k in turns])
    return moved
