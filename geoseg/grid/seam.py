"""Find the seam of a CRS: the meridian at which x jumps from one side of the map to the other.

Longitudes jump at the antimeridian. Cylindrical, pseudocylindrical, and conic projections jump at the meridian opposite
their central meridian, also far from the area of use of the CRS: EPSG:3857 and EPSG:8857 at 180 degrees, EPSG:3832 at -30
degrees, the conic EPSG:2154 (France) at -177 degrees. Transverse Mercator (UTM) and azimuthal projections (polar CRSs) have
no seam. Interrupted projections have several, of which only this one is found.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.crs import BoundCRS

from geoseg.errors import GridMismatch
from geoseg.grid.crs import full_turn, make_transformer, unit_factor
from geoseg.grid.grid import Bounds, Grid, map_point

SIDE_POINTS = 101
"""Number of points per side of a grid or of bounds that are compared with a seam."""

FAR = 1 / 36
"""Distance in turns from a seam or a pole from which bounds are far from it (10 degrees)."""

TEST_LATITUDES = np.array([-1, 1]) / 9
"""Latitudes at which a jump is looked for, in turns (40 degrees)."""

SHORT_STEP = 1e-8
"""Half the length of a step across a possible seam, in turns (about 0.4 m)."""

JUMP_M = 1000.0
"""Distance in meters on the map from which a short step is a jump."""

PERIOD_TOLERANCE = 1e-9
"""Relative tolerance for equally spaced, vertical meridians."""

INSIDE = 2e-12
"""Fraction by which points on a seam are moved towards the central meridian (less than a tenth of a millimeter)."""

NEAR_POLE = 1e-7
"""Distance in turns from a pole at which Mercator projections end for geoseg (about 4 m)."""


@dataclass(frozen=True)
class Seam:
    """The seam of a CRS."""

    crs: CRS
    """The CRS with the seam, without a vertical part."""
    base: CRS
    """Geographic CRS with the datum of ``crs``; ``crs`` itself if it is geographic."""
    central_meridian: float
    """Longitude opposite the seam, in the unit of ``base``."""
    period: float | None
    """Distance in CRS units after which x repeats; None if meridians are not vertical lines with equal distances."""

    @property
    def longitude(self) -> float:
        """Longitude of the seam in the unit of ``base``: more than minus half a turn, up to half a turn."""
        return self.turn / 2 - (-self.central_meridian) % self.turn

    @property
    def turn(self) -> float:
        """A full turn in the unit of ``base``."""
        return full_turn(self.base)

    def to_relative(self, points: NDArray[np.float64], source: CRS) -> NDArray[np.float64]:
        """Convert points (point, 2) in a CRS to longitude, relative to the central meridian, and latitude.

        Returns:
            Coordinates in the unit of ``base``; longitudes between plus and minus half a turn.
        """
        lon, lat = make_transformer(source, self.base).transform(*points.T)
        relative = lon - self.central_meridian
        is_far = np.isfinite(relative) & (np.abs(relative) > self.turn / 2 * (1 + 1e-12))
        relative[is_far] -= self.turn * np.rint(relative[is_far] / self.turn)
        return np.stack([relative, lat], axis=1)

    def from_relative(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert relative longitudes and latitudes (point, 2) to the CRS; at plus and minus half a turn, x differs."""
        if self.crs == self.base:
            return points
        inside = self.turn / 2 * (1 - INSIDE)  # rounding errors could move a point to the other side of the map
        lon = np.clip(points[:, 0], -inside, inside) + self.central_meridian
        return np.stack(make_transformer(self.base, self.crs).transform(lon, points[:, 1]), axis=1)

    def pull_inside(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points (point, 2) in the CRS less than a tenth of a millimeter towards its center.

        PROJ has no longitude for a point that a rounding error has moved beyond the border of an elliptical map.
        """
        center = self.from_relative(np.zeros((1, 2)))
        return points - (points - center) * INSIDE

    def is_far_from(self, bounds: Bounds) -> bool:
        """Return whether bounds in the CRS are less than half a turn wide, and far from the seam and from both poles."""
        lon, lat = np.abs(relative := self.to_relative(_border(bounds), self.crs)).T
        if not np.isfinite(relative).all() or np.ptp(relative[:, 0]) >= self.turn / 2:
            return False
        return bool(lon.max() < (0.5 - FAR) * self.turn and lat.max() < (0.25 - FAR) * self.turn)

    def pole_y(self, sign: float) -> float:
        """Return y of the north pole (positive sign) or the south pole; of a point near it if y is infinite there."""
        for distance in (0, NEAR_POLE):
            ((_, y),) = self.from_relative(np.array([[0, np.copysign(self.turn * (0.25 - distance), sign)]]))
            if np.isfinite(y):
                break
        return float(y)


@lru_cache(maxsize=64)
def find_seam(crs: CRS | None) -> Seam | None:
    """Find the seam of a CRS; None if it has none."""
    while crs is not None and crs.is_compound:
        crs = crs.sub_crs_list[0]
    if crs is None or not (crs.is_geographic or crs.is_projected):
        return None
    if crs.is_geographic:
        return Seam(crs, crs, 0.0, full_turn(crs))
    base = _find_base(crs)
    if base is None:
        return None
    for meridian in _central_meridians(crs, full_turn(base)):
        seam = Seam(crs, base, meridian, None)
        with contextlib.suppress(GridMismatch):  # PROJ knows the name of the projection, but not how to compute it
            if _jumps(seam):
                return replace(seam, period=_find_period(seam))
    return None


def crosses_seam(grid: Grid, crs: CRS) -> bool:
    """Return whether a grid contains a pole or crosses the seam of a CRS."""
    seam = find_seam(crs)
    if seam is None or grid.crs is None:
        return False
    points = np.array([map_point(grid.transform, col, row) for col, row in _border((0, 0, grid.width, grid.height))])
    lon = seam.to_relative(points, grid.crs)[:, 0]
    lon[~np.isfinite(lon)] = np.nan
    return bool((np.abs(np.diff(lon)) > seam.turn / 2).any())


def _border(bounds: Bounds) -> NDArray[np.float64]:
    """Return points (point, 2) along the border of bounds."""
    left, bottom, right, top = bounds
    part = np.linspace(0, 1, SIDE_POINTS)[:, None]
    corners = np.array([[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]], np.float64)
    return np.concatenate([(1 - part) * a + part * b for a, b in pairwise(corners)])


def _find_base(crs: CRS) -> CRS | None:
    """Return the geographic CRS from which a CRS is projected, with the same transformation to WGS 84, if it has one."""
    base = crs.geodetic_crs
    if base is None or not base.is_geographic:
        return None
    return BoundCRS(base, crs.target_crs, crs.coordinate_operation) if crs.is_bound else base


def _central_meridians(crs: CRS, turn: float) -> Iterator[float]:
    """Yield the longitudes among the parameters of a projection, in the unit of the base CRS."""
    projection = crs.source_crs if crs.is_bound else crs
    operation = None if projection is None else projection.coordinate_operation
    for parameter in () if operation is None else operation.params:
        if parameter.name.startswith("Longitude of"):
            yield float(parameter.value) * parameter.unit_conversion_factor / (2 * np.pi) * turn


def _project(seam: Seam, turns: float, latitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Project points at a longitude relative to the central meridian, all in turns; NaN if impossible."""
    points = seam.from_relative(np.column_stack([np.full(len(latitudes), turns), latitudes]) * seam.turn)
    return np.where(np.isfinite(points), points, np.nan)


def _jumps(seam: Seam) -> bool:
    east, west = (_project(seam, sign * (0.5 - SHORT_STEP), TEST_LATITUDES) for sign in (1, -1))
    return bool((np.linalg.norm(east - west, axis=1) * unit_factor(seam.crs) > JUMP_M).any())


def _find_period(seam: Seam) -> float | None:
    latitudes = np.array([*TEST_LATITUDES, 0])
    turns = np.array([-0.4, -0.2, 0.2, 0.4])
    x = np.array([_project(seam, turn, latitudes)[:, 0] for turn in turns])
    period = float(x[-1, 0] - x[0, 0]) / 0.8
    expected = x[0, 0] + (turns[:, None] - turns[0]) * period
    is_periodic = np.abs(x - expected).max() <= abs(period) * PERIOD_TOLERANCE  # False for NaN
    return period if is_periodic else None
