"""A grid says where pixels lie: CRS, affine transform, height and width.

The transform maps (col, row) to (x, y) in the CRS: pixel (row, col) covers the parallelogram between
``transform @ (col, row)`` and ``transform @ (col + 1, row + 1)``. It may be rotated or south-up. A grid without CRS is
allowed: its units are then unknown, and nothing in metres can be computed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from geoseg.errors import GridMismatch
from geoseg.grid.window import Window

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in CRS units."""

GSD_RATIO = 1.25
"""Ground sample distances further apart than this factor are taken for different, and pixels are resampled."""

ON_A_BORDER = 1e-3
"""Points nearer than this part of a pixel to a pixel's border lie on it: coordinates are typed with few digits."""

WGS84_SEMI_MAJOR_M = 6378137.0
WGS84_ECCENTRICITY_SQUARED = 0.00669437999014


def map_point(transform: Affine, col: float, row: float) -> tuple[float, float]:
    """(x, y) of a pixel position; the one place where an affine meets a point (affine 2 and 3 spell it differently)."""
    return (
        transform.a * col + transform.b * row + transform.c,
        transform.d * col + transform.e * row + transform.f,
    )


def is_same_gsd(first: float, second: float) -> bool:
    """True if two ground sample distances (metres per pixel) are so near that pixels need no resampling."""
    return 1 / GSD_RATIO <= first / second <= GSD_RATIO


@dataclass(frozen=True)
class Grid:
    """CRS, transform and size of a raster."""

    crs: CRS | None
    """Coordinate reference system; None if unknown."""
    transform: Affine
    """(col, row) of pixel corners to (x, y) in the CRS."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def window(self) -> Window:
        """The window that holds the whole grid."""
        return Window(0, 0, self.height, self.width)

    @property
    def corners(self) -> list[tuple[float, float]]:
        """(x, y) of the four outer corners in CRS units, around the grid from its first pixel."""
        cols_rows = [(0, 0), (self.width, 0), (self.width, self.height), (0, self.height)]
        return [map_point(self.transform, col, row) for col, row in cols_rows]

    @property
    def bounds(self) -> Bounds:
        """The axis-parallel box around the grid, in CRS units."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Length of a pixel's sides along a column and along a row (height, width), in CRS units."""
        t = self.transform
        return math.hypot(t.b, t.e), math.hypot(t.a, t.d)

    @property
    def gsd(self) -> float | None:
        """Metres on the ground per pixel at the grid's centre (geometric mean of both sides); None without CRS."""
        return None if self.crs is None else math.sqrt(self.pixel_area_m2())

    def pixel_area_m2(self) -> float:
        """Area in square metres of the pixel at the grid's centre, on the ellipsoid; :class:`GridMismatch` without CRS.

        The parallelogram between the middles of its sides, as points in space (metres from the centre of the Earth):
        right at the poles and on the date line too, where longitudes jump.
        """
        if self.crs is None:
            raise GridMismatch("the grid has no CRS, so metres are unknown", "give the raster a CRS (gdal_edit -a_srs)")
        col, row = self.width / 2, self.height / 2
        left, right, up, down = self._in_space([(col - 0.5, row), (col + 0.5, row), (col, row - 0.5), (col, row + 0.5)])
        area = float(np.linalg.norm(np.cross(right - left, down - up)))
        return area if math.isfinite(area) else abs(self.transform.determinant) * self._metres_per_unit() ** 2

    def window_transform(self, window: Window) -> Affine:
        """The transform of the grid that begins at the window's first pixel."""
        x, y = map_point(self.transform, window.col, window.row)
        t = self.transform
        return Affine(t.a, t.b, x, t.d, t.e, y)

    def window_around(self, points: NDArray[np.float64]) -> Window:
        """The smallest window of whole pixels that holds ``points``, shape (point, 2), (x, y) in the CRS.

        It may reach outside the grid. A box of one and a half pixels gets two or three pixels, never one.
        """
        t = ~self.transform
        cols, rows = (points @ [[t.a, t.d], [t.b, t.e]] + [t.c, t.f]).T
        (row, row_stop), (col, col_stop) = _whole_pixels(rows), _whole_pixels(cols)
        return Window(row, col, row_stop - row, col_stop - col)

    def crop(self, window: Window) -> Self:
        """The grid of a window; it may reach outside this one."""
        return replace(self, transform=self.window_transform(window), height=window.height, width=window.width)

    def resampled(self, factor: float) -> Self:
        """The grid over the same ground with ``factor`` times as many pixels along each axis (at least one)."""
        height, width = max(round(self.height * factor), 1), max(round(self.width * factor), 1)
        return self.with_shape(height, width)

    def with_shape(self, height: int, width: int) -> Self:
        """The grid over the same ground in ``height`` x ``width`` pixels."""
        t, down, across = self.transform, self.height / height, self.width / width
        stretched = Affine(t.a * across, t.b * down, t.c, t.d * across, t.e * down, t.f)
        return replace(self, transform=stretched, height=height, width=width)

    def same_as(self, other: "Grid", tolerance: float = 1e-3) -> bool:
        """True if both have equal size and CRS and no corner is further off than ``tolerance`` of a pixel."""
        if self.shape != other.shape or self.crs != other.crs:
            return False
        side = min(self.pixel_size)
        pairs = zip(self.corners, other.corners, strict=True)
        return all(math.dist(a, b) <= tolerance * side for a, b in pairs)

    def require_same(self, other: "Grid", mine: str = "the first raster", its: str = "the second raster") -> None:
        """:class:`GridMismatch` that says how the two differ, unless :meth:`same_as`."""
        if self.same_as(other):
            return
        if self.shape != other.shape:
            how = f"{self.height} x {self.width} pixels against {other.height} x {other.width}"
        elif self.crs != other.crs:
            how = f"{crs_name(self.crs)} against {crs_name(other.crs)}"
        else:
            how = f"corner {self.corners[0]} against {other.corners[0]}, pixels {self.pixel_size} against {other.pixel_size}"
        raise GridMismatch(
            f"{mine} and {its} lie on different grids: {how}", "warp one of them onto the other's grid (gdalwarp)"
        )

    def _in_space(self, positions: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        """(x, y, z) of pixel positions (col, row) on the ellipsoid, metres from its centre; NaN where the CRS ends."""
        assert self.crs is not None
        try:
            transformer = Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True)
            xs, ys = zip(*(map_point(self.transform, col, row) for col, row in positions), strict=True)
            lon, lat = (np.radians(np.where(np.isfinite(d), d, np.nan)) for d in transformer.transform(xs, ys))
        except ProjError:  # a CRS without a way to the globe (an engineering CRS, say)
            return np.full((len(positions), 3), np.nan)
        prime_vertical = WGS84_SEMI_MAJOR_M / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
        from_axis = prime_vertical * np.cos(lat)
        height = prime_vertical * (1 - WGS84_ECCENTRICITY_SQUARED) * np.sin(lat)
        return np.stack([from_axis * np.cos(lon), from_axis * np.sin(lon), height], axis=1)

    def _metres_per_unit(self) -> float:
        assert self.crs is not None
        return self.crs.axis_info[0].unit_conversion_factor if self.crs.axis_info else 1.0


def _whole_pixels(positions: NDArray[np.float64]) -> tuple[int, int]:
    """First pixel and first pixel behind, of those that positions along one axis reach into."""
    first = math.floor(positions.min() + ON_A_BORDER)
    return first, max(math.ceil(positions.max() - ON_A_BORDER), first)


def crs_name(crs: CRS | None) -> str:
    """A short name for messages: ``EPSG:32633`` where there is a code, else the CRS's own name."""
    if crs is None:
        return "no CRS"
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.name
