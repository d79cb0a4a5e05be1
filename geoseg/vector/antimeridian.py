"""Reproject polygons, and cut them at the seam of the target CRS (see :mod:`geoseg.grid.seam`).

In longitude and latitude, the seam is the antimeridian, where RFC 7946 requires polygons in GeoJSON to be cut. For a
projected CRS, polygons are cut in longitude and latitude relative to its central meridian, and the parts are projected.

A ring that crosses longitude 180 has a side from +180 to -180, which would run around the world. Such rings are
unrolled: their longitudes continue beyond 180. An unrolled ring around a pole is not closed, so it is closed along the
pole. The unrolled polygons are cut at longitude 180, and the parts beyond it are shifted back.
"""

import math
from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geoseg.errors import LayerError
from geoseg.grid.crs import crs_name, full_turn, make_transformer, unit_factor
from geoseg.grid.seam import Seam, find_seam
from geoseg.vector.polygon_arrays import PolygonArrays, densify
from geoseg.vector.tracing.ragged_arrays import FloatArray

LONGEST_EDGE_TURNS = 1 / 360
LONGEST_EDGE_M = 100_000.0
"""Longest edges of which only the end points are transformed; longer ones are curves in another CRS."""

LONGEST_EDGE_ON_SEAM_TURNS = 1 / 36_000
"""Longest edges along a seam that is a curve on the map, in turns (about 1 km, which differs from the curve by 2 cm)."""

POLE_SIZE_M = 1e-3
"""Points at a pole that are closer on the map than this are the same point."""

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
        is_cut: Whether to cut the polygons at the seam of the target CRS (see :func:`geoseg.grid.seam.crosses_seam`).

    Raises:
        LayerError: If some points are outside the area of use of the target CRS.
        GridMismatch: If there is no transformation between the two CRSs.
    """
    seam = find_seam(target) if is_cut else None
    if seam is None:
        points = np.stack(make_transformer(source, target).transform(*polygons.points.T), axis=1)
        return replace(polygons, points=_require_finite(points, target))
    relative = _cut_arrays(_to_relative(polygons, source, seam), seam.base)
    if seam.crs == seam.base:
        return relative
    return _project(densify(relative, _count_pieces_on_map(relative, seam)), seam)


def _require_finite(points: FloatArray, crs: CRS) -> FloatArray:
    if not np.isfinite(points).all():
        raise LayerError(
            f"some polygons are outside the area of use of {crs_name(crs)}", "choose a CRS that covers this region"
        )
    return points


def _count_pieces(polygons: PolygonArrays, limit: float) -> NDArray[np.int64]:
    """Return the number of pieces not longer than a limit along either axis, for the side that begins at each point."""
    span = np.abs(np.diff(polygons.points, axis=0, append=np.nan)).max(axis=1)
    return _to_pieces(polygons, span / limit)


def _count_pieces_on_map(polygons: PolygonArrays, seam: Seam) -> NDArray[np.int64]:
    """Return the number of pieces of edges along the seam, which may be a curve on the map, and of other long edges."""
    pieces = _count_pieces(polygons, longest_edge(seam.base))
    if seam.period is not None:
        return pieces
    is_on_seam = np.abs(polygons.points[:, 0]) == seam.turn / 2
    is_on_seam &= np.roll(is_on_seam, -1)
    finer = _count_pieces(polygons, LONGEST_EDGE_ON_SEAM_TURNS * seam.turn)
    return np.where(is_on_seam, finer, pieces)


def _to_pieces(polygons: PolygonArrays, ratio: FloatArray) -> NDArray[np.int64]:
    pieces = np.where(np.isfinite(ratio), np.maximum(np.ceil(ratio), 1), 1).astype(np.int64)
    pieces[polygons.ring_offsets[1:] - 1] = 1
    return pieces


def _to_relative(polygons: PolygonArrays, source: CRS, seam: Seam) -> PolygonArrays:
    """Convert polygons to relative longitudes and latitudes, with no side across more than a degree."""
    polygons = densify(polygons, _count_pieces(polygons, longest_edge(source)))
    lon = seam.to_relative(polygons.points, source)[:, 0]
    # Near a pole, straight sides become curves.
    span = np.abs(np.diff(lon, append=np.nan))
    ratio = np.minimum(span, np.abs(seam.turn - span)) / longest_edge(seam.base)
    polygons = densify(polygons, _to_pieces(polygons, ratio))
    return replace(polygons, points=_require_finite(seam.to_relative(polygons.points, source), seam.crs))


def _cut_arrays(polygons: PolygonArrays, base: CRS) -> PolygonArrays:
    points = polygons.points
    points[:, 0] = np.rint(points[:, 0] / LONGITUDE_STEP) * LONGITUDE_STEP
    half = full_turn(base) / 2
    is_on_line = np.abs(np.abs(points[:, 0]) - half) < half * LINE_TOLERANCE
    points[is_on_line, 0] = np.copysign(half, points[is_on_line, 0])
    return PolygonArrays.from_geometries(cut_at_antimeridian(polygons.to_geometries(), base))


def _project(polygons: PolygonArrays, seam: Seam) -> PolygonArrays:
    """Project polygons that were cut; a pole that is a point on the map becomes a single vertex."""
    projected = _require_finite(seam.from_relative(polygons.points), seam.crs)
    unit = unit_factor(seam.crs)
    is_merged = False
    for sign in (-1, 1):
        is_pole = _is_pole(polygons.points, seam.turn) & (np.sign(polygons.points[:, 1]) == sign)
        if is_pole.any() and np.ptp(projected[is_pole], axis=0).max() * unit < POLE_SIZE_M:
            projected[is_pole], is_merged = projected[is_pole][0], True
    polygons = replace(polygons, points=projected)
    if is_merged:
        polygons = PolygonArrays.from_geometries(shapely.remove_repeated_points(polygons.to_geometries(), 0))
    return polygons


def longest_edge(crs: CRS) -> float:
    """Return the length of the longest edge, in CRS units, of which only the end points are transformed."""
    if crs.is_geographic:
        return LONGEST_EDGE_TURNS * full_turn(crs)
    return LONGEST_EDGE_M / unit_factor(crs)


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
    if right - left > turn * (1 - LINE_TOLERANCE):  # around the world: the ends have a common side
        parts = list(shapely.get_parts(shapely.union_all(parts)))
    return parts


def _unroll(ring: FloatArray, turn: float) -> FloatArray:
    """Continue the longitudes of a closed ring (point, 2) beyond 180 degrees, and add a point at each crossing."""
    ring = _insert_crossings(_split_poles(ring, turn), turn)
    lon, lat = ring.T
    lon = _continue_longitudes(lon, turn)
    if abs(lon[-1] - lon[0]) < turn / 2:
        return np.column_stack([lon, lat])
    # This ring encloses a pole: start it at the antimeridian, and close it along the pole. Of several crossings, use the one
    # closest to the pole, because the ring does not cross the antimeridian between this one and the pole.
    north = math.copysign(1, lat[np.argmax(np.abs(lat))])
    is_start = np.isclose(np.abs(ring[:-1, 0]), turn / 2, rtol=0, atol=turn * 1e-12)
    start = int(np.argmax(np.where(is_start, north * ring[:-1, 1], -np.inf)))
    ring = np.concatenate([ring[start:-1], ring[: start + 1]])
    lon, lat = _continue_longitudes(ring[:, 0], turn), ring[:, 1]
    first = np.copysign(turn / 2, lon[-1] - lon[0]) * -1
    lon = lon - lon[0] + first
    lon[-1] = -first
    pole = north * turn / 4
    closing = [[-first, pole], [first, pole], [first, lat[0]]]
    return np.concatenate([np.column_stack([lon, lat]), closing])


def _continue_longitudes(lon: FloatArray, turn: float) -> FloatArray:
    """Add full turns so that no step is longer than half a turn; ``np.unwrap`` would introduce rounding errors."""
    continued: FloatArray = lon - turn * np.append(0, np.cumsum(np.rint(np.diff(lon) / turn)))
    return continued


def _split_poles(ring: FloatArray, turn: float) -> FloatArray:
    """Replace a corner at a pole, which has no longitude, by two with the longitudes of its neighbors.

    A side along a pole belongs to a polygon that was drawn in longitude and latitude, so its corners remain.
    """
    is_pole = _is_pole(ring, turn)[:-1]
    is_pole &= ~(np.roll(is_pole, 1) | np.roll(is_pole, -1))
    if not is_pole.any() or is_pole.all():
        return ring
    first = int(np.argmin(is_pole))  # start at a different corner
    ring, is_pole = np.roll(ring[:-1], -first, axis=0), np.roll(is_pole, -first)
    corners: list[FloatArray] = []
    for before, point, after, at_pole in zip(
        np.roll(ring, 1, axis=0), ring, np.roll(ring, -1, axis=0), is_pole, strict=True
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
