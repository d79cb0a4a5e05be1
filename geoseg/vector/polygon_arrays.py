"""Store polygons in CRS coordinates as ragged arrays, with conversions from outlines and to and from shapely."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg._numba_jit import njit
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray, to_offsets


@dataclass(frozen=True)
class PolygonArrays:
    """Polygons as nested ragged arrays: polygons contain parts, parts contain rings, and rings contain points.

    Offsets are defined as in :class:`~geoseg.vector.tracing.outline_arrays.Outlines`.
    """

    points: FloatArray
    """(point, 2): x and y in CRS units. Rings are closed; shells are counterclockwise, holes clockwise."""
    ring_offsets: IntArray
    """Offsets of rings in ``points``."""
    part_offsets: IntArray
    """Offsets of parts in the rings; the first ring of a part is its shell."""
    polygon_offsets: IntArray
    """Offsets of polygons in the parts."""

    @classmethod
    def from_outlines(cls, outlines: Outlines, transform: Affine) -> Self:
        """Georeference outlines.

        Args:
            outlines: Polygons in pixel corner coordinates.
            transform: Maps (col, row) of pixel corners to (x, y); may include rotation and reflection.
        """
        corners, t = outlines.corners, transform
        if t.determinant > 0:  # rows run upward, so counterclockwise rings would become clockwise: reverse them
            starts, stops = outlines.ring_offsets[:-1], outlines.ring_offsets[1:]
            corners = corners[np.repeat(starts + stops - 1, stops - starts) - np.arange(len(corners))]
        points = np.empty((len(corners), 2))
        row, col = corners[:, 0], corners[:, 1]
        points[:, 0] = t.a * col + t.b * row + t.c
        points[:, 1] = t.d * col + t.e * row + t.f
        return cls(points, outlines.ring_offsets, outlines.part_offsets, outlines.polygon_offsets)

    @classmethod
    def from_geometries(cls, geometries: NDArray[np.object_]) -> Self:
        """Convert shapely Polygons and MultiPolygons; z coordinates are dropped."""
        parts, owner = shapely.get_parts(geometries, return_index=True)
        if not len(parts):
            empty = np.zeros(1, np.int64)
            return cls(np.empty((0, 2)), empty, empty, np.zeros(len(geometries) + 1, np.int64))
        parts = shapely.force_2d(shapely.orient_polygons(parts))
        _, points, (ring_offsets, part_offsets) = shapely.to_ragged_array(parts)
        polygon_offsets = to_offsets(np.bincount(owner, minlength=len(geometries)))
        return cls(points, ring_offsets.astype(np.int64), part_offsets.astype(np.int64), polygon_offsets)

    def __len__(self) -> int:
        return len(self.polygon_offsets) - 1

    @property
    def polygon_rings(self) -> IntArray:
        """Offsets of polygons in the rings."""
        return self.part_offsets[self.polygon_offsets]

    def bounds(self) -> FloatArray:
        """Return the bounds of each polygon, (polygon, 4: left, bottom, right, top)."""
        return _compute_bounds(self.points, self.ring_offsets[self.polygon_rings])

    def to_geometries(self) -> NDArray[np.object_]:
        """Convert each polygon to a shapely Polygon, or to a MultiPolygon if it has several parts."""
        rings = self.ring_offsets, self.part_offsets
        parts = shapely.from_ragged_array(shapely.GeometryType.POLYGON, self.points, rings)
        return group_parts(parts, np.repeat(np.arange(len(self)), np.diff(self.polygon_offsets)))


@njit
def _compute_bounds(points: FloatArray, offsets: IntArray) -> FloatArray:
    bounds = np.empty((len(offsets) - 1, 4))
    for k in range(len(offsets) - 1):
        left, bottom, right, top = math.inf, math.inf, -math.inf, -math.inf
        for i in range(offsets[k], offsets[k + 1]):
            left, right = min(left, points[i, 0]), max(right, points[i, 0])
            bottom, top = min(bottom, points[i, 1]), max(top, points[i, 1])
        bounds[k, 0], bounds[k, 1], bounds[k, 2], bounds[k, 3] = left, bottom, right, top
    return bounds


def group_parts(parts: NDArray[np.object_], owner: IntArray) -> NDArray[np.object_]:
    """Group Polygons by owner.

    Args:
        parts: Shapely Polygons (part,).
        owner: The owner of each part: ascending numbers starting at 0, without gaps.

    Returns:
        One geometry per owner: its Polygon, or a MultiPolygon if it has several Polygons.
    """
    counts = np.bincount(owner)
    if (counts == 1).all():
        return parts
    geometries: NDArray[np.object_] = parts[np.cumsum(counts) - counts]
    is_multi = counts > 1
    position = np.cumsum(is_multi) - 1
    geometries[is_multi] = shapely.multipolygons(parts[is_multi[owner]], indices=position[owner][is_multi[owner]])
    return geometries


def restore_points(geometries: NDArray[np.object_], points: FloatArray, grid_size: float) -> NDArray[np.object_]:
    """Move vertices to the first of ``points`` (point, 2) that rounds to the same multiples of ``grid_size``."""
    both = np.concatenate([points, shapely.get_coordinates(geometries)])
    _, first, inverse = np.unique(np.rint(both / grid_size), axis=0, return_index=True, return_inverse=True)
    restored: NDArray[np.object_] = shapely.set_coordinates(geometries.copy(), both[first[inverse]][len(points) :])
    return restored


def densify(polygons: PolygonArrays, pieces: IntArray) -> PolygonArrays:
    """Divide sides into pieces of equal length; the points do not depend on the direction of a side.

    Args:
        polygons: The polygons.
        pieces: (point,): number of pieces into which the side from each point to the next is divided; 1 for the last
            point of a ring.
    """
    points, following = polygons.points, np.roll(polygons.points, -1, axis=0)
    swap = (points[:, 0] > following[:, 0]) | ((points[:, 0] == following[:, 0]) & (points[:, 1] > following[:, 1]))
    offsets = to_offsets(pieces)
    side = np.repeat(np.arange(len(points)), pieces)
    step = np.arange(offsets[-1]) - offsets[side]
    step = np.where(swap[side], pieces[side] - step, step)
    first, last = np.where(swap[:, None], following, points)[side], np.where(swap[:, None], points, following)[side]
    dense = first + (last - first) * (step / pieces[side])[:, None]
    dense[offsets[:-1]] = points
    return replace(polygons, points=dense, ring_offsets=offsets[polygons.ring_offsets])
