"""Reproject polygons, and cut polygons in a geographic CRS at the antimeridian, as RFC 7946 requires for GeoJSON.

A ring that crosses longitude 180 has a side from +180 to -180, which would run around the world. Such rings are
unrolled: their longitudes continue beyond 180. An unrolled ring around a pole is not closed, so it is closed along the
pole. The unrolled polygons are cut at longitude 180, and the parts beyond it are shifted back.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.errors import LayerError
from geoseg.grid.grid import Grid, crs_name, full_turn, make_transformer, map_point
from geoseg.vector.polygon_arrays import PolygonArrays, densify
from geoseg.vector.tracing.ragged_arrays import FloatArray

EDGE_POINTS = 101
"""Number of points per side of a grid that are used to test whether the grid crosses the antimeridian."""

LONGITUDE_STEP = 2.0**-36
"""Longitudes are rounded to multiples of this value (a few micrometers) to make adding and subtracting turns exact."""

LINE_TOLERANCE = 5e-11
"""Points closer to the antimeridian than this fraction of half a turn (about a millimeter) are moved onto it."""

POLE_TOLERANCE = 1e-10
"""Points closer to a pole than this fraction of a full turn are treated as the pole, which has no longitude."""


def reproject_polygon_arrays(polygons: PolygonArrays, source: CRS, target: CRS, *, is_cut: bool) -> PolygonArrays:
    """Reproject polygons.

    Args:
        polygons: Polygons in the source CRS.
        source: CRS of the polygons.
        target: CRS to reproject to.
        is_cut: True to cut the polygons at the antimeridian if the target CRS is geographic.

    Raises:
        LayerError: If some points are outside the area of use of the target CRS.
        GridMismatch: If there is no transformation between the two CRSs.
    """
    transformer = make_transformer(source, target)
    points = np.stack(transformer.transform(*polygons.points.T), axis=1)
    if is_cut and target.is_geographic:
        # Near a pole, straight sides become curves, so no piece of a side may span more than a degree.
        turn = full_turn(target)
        span = np.abs(np.diff(points[:, 0], append=0))
        pieces = np.maximum(np.ceil(np.minimum(span, np.abs(turn - span)) / turn * 360), 1)
        pieces[polygons.ring_offsets[1:] - 1] = 1
        polygons = densify(polygons, np.where(np.isfinite(pieces), pieces, 1).astype(np.int64))
        points = np.stack(transformer.transform(*polygons.points.T), axis=1)
    if not np.isfinite(points).all():
        raise LayerError(
            f"some polygons are outside the area of use of {crs_name(target)}", "choose a CRS that covers this region"
        )
    if not is_cut:
        return replace(polygons, points=points)
    points[:, 0] = np.rint(points[:, 0] / LONGITUDE_STEP) * LONGITUDE_STEP
    half = full_turn(target) / 2 if target.is_geographic else math.inf
    is_on_line = np.abs(np.abs(points[:, 0]) - half) < half * LINE_TOLERANCE
    points[is_on_line, 0] = np.copysign(half, points[is_on_line, 0])
    reprojected = replace(polygons, points=points)
    return PolygonArrays.from_geometries(cut_at_antimeridian(reprojected.to_geometries(), target))


def crosses_antimeridian(grid: Grid, crs: CRS) -> bool:
    """Return whether a grid contains a pole or crosses the antimeridian of a geographic CRS."""
    if not crs.is_geographic or grid.crs is None:
        return False
    part = np.linspace(0, 1, EDGE_POINTS)[:, None]
    corners = np.array([[0, 0], [grid.width, 0], [grid.width, grid.height], [0, grid.height], [0, 0]], np.float64)
    border = np.concatenate([(1 - part) * a + part * b for a, b in pairwise(corners)])
    points = [map_point(grid.transform, col, row) for col, row in border]
    lon = make_transformer(grid.crs, crs).transform(*np.array(points).T)[0]
    return bool((np.abs(np.diff(lon)) > full_turn(crs) / 2).any())


def cut_at_antimeridian(geometries: NDArray[np.object_], crs: CRS) -> NDArray[np.object_]:
    """Cut the polygons that cross the antimeridian of a geographic CRS or contain a pole; leave the others unchanged.

    Args:
        geometries: Polygons and MultiPolygons with no side longer than half a turn.
        crs: CRS of the polygons; nothing is cut unless it is geographic.

    Returns:
        Polygons and MultiPolygons with longitudes between -180 and 180 degrees.
    """
    if not crs.is_geographic or not len(geometries):
        return geometries
    turn = full_turn(crs)
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    is_far = (np.abs(np.diff(points[:, 0])) > turn / 2) & (np.diff(owner) == 0)
    affected = np.union1d(owner[1:][is_far], owner[_is_pole(points, turn)])
    result = geometries.copy()
    for k in affected:
        parts = [part for polygon in shapely.get_parts(geometries[k]) for part in _cut(polygon, turn)]
        result[k] = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return result


def _is_pole(points: FloatArray, turn: float) -> NDArray[np.bool_]:
    is_pole: NDArray[np.bool_] = np.abs(points[:, 1]) > turn * (0.25 - POLE_TOLERANCE)
    return is_pole


def _cut(polygon: shapely.Polygon, turn: float) -> list[shapely.Polygon]:
    """Return the parts of a polygon between -180 and 180 degrees."""
    shell, *holes = (_unroll(shapely.get_coordinates(ring), turn) for ring in shapely.get_rings(polygon))
    area = shapely.make_valid(shapely.Polygon(shell))
    for hole in holes:
        left, _, right, _ = area.bounds
        middle = (hole[:, 0].min() + hole[:, 0].max()) / 2
        for k in range(math.floor((left - middle) / turn), math.ceil((right - middle) / turn) + 1):
            area = area.difference(shapely.make_valid(shapely.Polygon(hole + np.array([k * turn, 0]))))
    left, bottom, right, top = area.bounds
    parts: list[shapely.Polygon] = []
    for k in range(math.floor(left / turn + 0.5), math.ceil(right / turn + 0.5)):
        window = shapely.box((k - 0.5) * turn, bottom - 1, (k + 0.5) * turn, top + 1)
        inside = area.intersection(window)
        inside = shapely.set_coordinates(inside, shapely.get_coordinates(inside) - np.array([k * turn, 0]))
        parts += [part for part in shapely.get_parts(inside) if part.area > 0]
    return parts


def _unroll(ring: FloatArray, turn: float) -> FloatArray:
    """Continue the longitudes of a closed ring (point, 2) beyond 180 degrees, and add a point at each crossing."""
    ring = _insert_crossings(_split_poles(ring, turn), turn)
    lon, lat = ring.T
    lon = _continue_longitudes(lon, turn)
    if abs(lon[-1] - lon[0]) < turn / 2:
        return np.column_stack([lon, lat])
    # This ring encloses a pole: start it at the antimeridian, and close it along the pole.
    start = int(np.argmax(np.isclose(np.abs(ring[:-1, 0]), turn / 2, rtol=0, atol=turn * 1e-12)))
    ring = np.concatenate([ring[start:-1], ring[: start + 1]])
    lon, lat = _continue_longitudes(ring[:, 0], turn), ring[:, 1]
    first = np.copysign(turn / 2, lon[-1] - lon[0]) * -1
    lon = lon - lon[0] + first
    lon[-1] = -first
    pole = math.copysign(turn / 4, lat[np.argmax(np.abs(lat))])
    closing = [[-first, pole], [first, pole], [first, lat[0]]]
    return np.concatenate([np.column_stack([lon, lat]), closing])


def _continue_longitudes(lon: FloatArray, turn: float) -> FloatArray:
    """Add full turns so that no step is longer than half a turn; ``np.unwrap`` would introduce rounding errors."""
    continued: FloatArray = lon - turn * np.append(0, np.cumsum(np.rint(np.diff(lon) / turn)))
    return continued


def _split_poles(ring: FloatArray, turn: float) -> FloatArray:
    """Replace each corner at a pole, which has no longitude, with two that have the longitudes of its neighbors."""
    is_pole = _is_pole(ring, turn)[:-1]
    if not is_pole.any() or is_pole.all():
        return ring
    ring = np.roll(ring[:-1], -int(np.argmin(is_pole)), axis=0)  # start at a different corner
    corners: list[FloatArray] = []
    for before, point, after, at_pole in zip(
        np.roll(ring, 1, axis=0), ring, np.roll(ring, -1, axis=0), _is_pole(ring, turn), strict=True
    ):
        corners += [np.array([side[0], point[1]]) for side in (before, after)] if at_pole else [point]
    return np.array([*corners, corners[0]])


def _insert_crossings(ring: FloatArray, turn: float) -> FloatArray:
    """Add a point wherever a side crosses the antimeridian; its latitude does not depend on the side's direction."""
    half = turn / 2
    jumps = np.flatnonzero(np.abs(np.diff(ring[:, 0])) > half)
    east = np.where(ring[jumps, 0] > 0, jumps, jumps + 1)  # the end with positive longitude
    west = 2 * jumps + 1 - east
    to_east, to_west = half - ring[east, 0], ring[west, 0] + half
    total = np.where(to_east + to_west > 0, to_east + to_west, 1)
    latitude = ring[east, 1] + (ring[west, 1] - ring[east, 1]) * (to_east / total)
    is_new = (to_east > 0) & (to_west > 0)
    points = np.column_stack([np.copysign(half, ring[jumps, 0]), latitude])[is_new]
    return np.insert(ring, jumps[is_new] + 1, points, axis=0)
