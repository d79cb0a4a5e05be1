"""Outlines, shapely polygons and runs of points: from each to the others, all at once."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.outlines import Outlines
from geoseg.vector.tracing.ragged_arrays import offsets


@dataclass(frozen=True)
class Shapes:
    """Polygons as runs of points: polygons of parts, parts of rings, rings of points; offsets as in Outlines."""

    points: NDArray[np.float64]
    """(point, 2): x and y in CRS units; rings are closed, shells run counter-clockwise, holes clockwise."""
    rings: Integers
    """Rings in points."""
    parts: Integers
    """Parts in rings, the shell first."""
    polygons: Integers
    """Polygons in parts."""

    @classmethod
    def of_outlines(cls, outlines: Outlines, transform: Affine) -> Self:
        """Where the outlines lie: ``transform`` maps (col, row) of pixel corners to (x, y), turned or mirrored as it is."""
        corners, t = outlines.corners, transform
        if t.determinant > 0:  # rows run up: what was counter-clockwise is clockwise
            starts, stops = outlines.ring_offsets[:-1], outlines.ring_offsets[1:]
            corners = corners[np.repeat(starts + stops - 1, stops - starts) - np.arange(len(corners))]
        points = np.empty((len(corners), 2))
        row, col = corners[:, 0], corners[:, 1]
        points[:, 0] = t.a * col + t.b * row + t.c
        points[:, 1] = t.d * col + t.e * row + t.f
        return cls(points, outlines.ring_offsets, outlines.part_offsets, outlines.polygon_offsets)

    @classmethod
    def of(cls, geometries: NDArray[np.object_]) -> Self:
        """Of Polygons and MultiPolygons."""
        parts, owner = shapely.get_parts(geometries, return_index=True)
        if not len(parts):
            none = np.zeros(1, np.int64)
            return cls(np.empty((0, 2)), none, none, np.zeros(len(geometries) + 1, np.int64))
        parts = shapely.force_2d(shapely.orient_polygons(parts))
        _, points, (rings, of_parts) = shapely.to_ragged_array(parts)
        polygons = offsets(np.bincount(owner, minlength=len(geometries)))
        return cls(points, rings.astype(np.int64), of_parts.astype(np.int64), polygons)

    @property
    def polygon_rings(self) -> Integers:
        """Polygons in rings."""
        return self.parts[self.polygons]

    def geometries(self) -> NDArray[np.object_]:
        """One geometry per polygon: a Polygon, or a MultiPolygon where it has several parts."""
        parts = shapely.from_ragged_array(shapely.GeometryType.POLYGON, self.points, (self.rings, self.parts))
        return regrouped(parts, np.repeat(np.arange(len(self.polygons) - 1), np.diff(self.polygons)))


def polygons(outlines: Outlines, transform: Affine) -> NDArray[np.object_]:
    """The outlines' geometries in CRS units."""
    return Shapes.of_outlines(outlines, transform).geometries()


def regrouped(parts: NDArray[np.object_], owner: Integers) -> NDArray[np.object_]:
    """One geometry per owner (ascending numbers, none left out): a Polygon, or a MultiPolygon of its several parts."""
    counts = np.bincount(owner)
    if (counts == 1).all():
        return parts
    geometries: NDArray[np.object_] = parts[np.cumsum(counts) - counts]
    several = counts > 1
    position = np.cumsum(several) - 1
    geometries[several] = shapely.multipolygons(parts[several[owner]], indices=position[owner][several[owner]])
    return geometries
