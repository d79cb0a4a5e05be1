"""Grids: the CRS, affine transform, height and width of a raster.

The transform maps (col, row) to (x, y) in the CRS: pixel (row, col) covers the parallelogram between
``transform @ (col, row)`` and ``transform @ (col + 1, row + 1)``. It may be rotated or south-up. If a grid has no CRS,
its units are unknown, and nothing can be computed in meters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from geoseg.errors import GridMismatch
from geoseg.grid.crs import crs_name, unit_factor
from geoseg.grid.window import Window

Bounds = tuple[float, float, float, float]
"""(left, bottom, right, top) in CRS units."""

GSD_RATIO = 1.25
"""Largest ratio of two ground sample distances for which pixels are not resampled."""

SQUARE_RATIO = 1.01
"""Largest ratio of the side lengths of a pixel that is treated as square."""

BORDER_TOLERANCE = 1e-3
"""Points closer to a pixel border than this fraction of a pixel are treated as lying on the border, because coordinates
are often rounded."""

CORNER_TOLERANCE = 1e-3
"""Corners of two grids that are closer than this fraction of a pixel are considered equal."""

ROUNDING_TOLERANCE = 0.5
"""The same tolerance, in pixels, if either grid has no CRS, because the values in world files are often rounded."""

WGS84_SEMI_MAJOR_M = 6378137.0
WGS84_ECCENTRICITY_SQUARED = 0.00669437999014
"""Semi-major axis and squared first eccentricity of the WGS 84 ellipsoid (EPSG:7030)."""


def map_point(transform: Affine, col: float, row: float) -> tuple[float, float]:
    """Map a pixel position to (x, y); the operator for this differs between affine 2 and 3."""
    return (
        transform.a * col + transform.b * row + transform.c,
        transform.d * col + transform.e * row + transform.f,
    )


Sides = tuple[float, float]
"""Lengths or factors along a column and along a row."""


def is_same_gsd(first: float, second: float) -> bool:
    """Return True if two ground sample distances (meters per pixel) are close enough that pixels need no resampling."""
    return 1 / GSD_RATIO <= first / second <= GSD_RATIO


def is_square(sides: Sides) -> bool:
    """Return True if the height and width of a pixel are equal, allowing for the distortion of map projections."""
    return 1 / SQUARE_RATIO <= sides[0] / sides[1] <= SQUARE_RATIO


def resampling_factors(sides: Sides, target: float) -> Sides:
    """Return how many pixels fit along each side of a square pixel of the target size.

    Args:
        sides: (height, width) of a pixel in meters.
        target: Target size in meters per pixel.

    Returns:
        Factors along a column and along a row; 1 if both sides are nearly equal to the target and to each other
        (:func:`is_same_gsd`).
    """
    height, width = sides
    if is_same_gsd(height, target) and is_same_gsd(width, target) and is_same_gsd(height, width):
        return 1.0, 1.0
    return target / height, target / width


@dataclass(frozen=True)
class Grid:
    """CRS, transform and size of a raster.

    Example:
        >>> grid = Grid(CRS("EPSG:32633"), Affine(0.5, 0, 300000, 0, -0.5, 5600000), height=400, width=600)
        >>> grid.bounds
        (300000.0, 5599800.0, 300300.0, 5600000.0)
        >>> round(grid.gsd, 3)
        0.5
        >>> grid.crop(Window(100, 200, 50, 60)).bounds
        (300100.0, 5599925.0, 300130.0, 5599950.0)
    """

    crs: CRS | None
    """Coordinate reference system; None if unknown."""
    transform: Affine
    """Affine transform that maps (col, row) of pixel corners to (x, y) in the CRS."""
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
        """The window that covers the whole grid."""
        return Window(0, 0, self.height, self.width)

    @property
    def corners(self) -> list[tuple[float, float]]:
        """(x, y) of the four outer corners in CRS units, in order around the grid, starting at its first pixel."""
        cols_rows = [(0, 0), (self.width, 0), (self.width, self.height), (0, self.height)]
        return [map_point(self.transform, col, row) for col, row in cols_rows]

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) in CRS units."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(height, width) of a pixel in CRS units: the lengths of its sides along a column and along a row."""
        t = self.transform
        return math.hypot(t.b, t.e), math.hypot(t.a, t.d)

    @property
    def gsd(self) -> float | None:
        """Ground sample distance in meters per pixel at the center of the grid; None if there is no CRS.

        This is the geometric mean of the sides of the pixel at the center.
        """
        return None if self.crs is None else math.sqrt(self.pixel_area_m2())

    def pixel_sides_m(self, gsd: float | None = None) -> Sides | None:
        """Compute the (height, width) of the pixel at the center of the grid on the ground, in meters.

        Args:
            gsd: Meters per pixel of a grid without a CRS (geometric mean of both sides). The ratio of the sides is
                taken from the transform.

        Returns:
            The sides; None if they are unknown.
        """
        if self.crs is None:
            ratio = math.sqrt(self.pixel_size[0] / self.pixel_size[1])
            return None if gsd is None else (gsd * ratio, gsd / ratio)
        across, down = self._center_sides()
        height, width = float(np.linalg.norm(down)), float(np.linalg.norm(across))
        if math.isfinite(height) and math.isfinite(width):
            return height, width
        height, width = self.pixel_size
        return height * self._meters_per_unit(), width * self._meters_per_unit()

    def pixel_area_m2(self) -> float:
        """Compute the area of the pixel at the center of the grid in square meters, on the ellipsoid.

        The area is that of a parallelogram whose sides are the vectors between the midpoints of opposite pixel sides in
        geocentric coordinates, which makes it correct even at the poles and the antimeridian.

        Raises:
            GridMismatch: If the grid has no CRS.
        """
        if self.crs is None:
            raise GridMismatch("the grid has no CRS, so its units are unknown", "set the CRS (gdal_edit -a_srs)")
        area = float(np.linalg.norm(np.cross(*self._center_sides())))
        return area if math.isfinite(area) else abs(self.transform.determinant) * self._meters_per_unit() ** 2

    def _center_sides(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sides of the center pixel, along a row and along a column, as vectors (x, y, z) in meters."""
        col, row = self.width / 2, self.height / 2
        left, right, up, down = self._to_geocentric(
            [(col - 0.5, row), (col + 0.5, row), (col, row - 0.5), (col, row + 0.5)]
        )
        return right - left, down - up

    def window_transform(self, window: Window) -> Affine:
        """Return the transform of a grid whose first pixel is the first pixel of a window."""
        x, y = map_point(self.transform, window.col, window.row)
        t = self.transform
        return Affine(t.a, t.b, x, t.d, t.e, y)

    def window_around(self, points: NDArray[np.float64]) -> Window:
        """Return the smallest window of whole pixels that contains all points; it may extend beyond the grid.

        Args:
            points: (x, y) in the CRS, shape (point, 2). Points closer to a pixel border than a thousandth of a pixel
                are treated as lying on the border.
        """
        t = ~self.transform
        cols, rows = (points @ [[t.a, t.d], [t.b, t.e]] + [t.c, t.f]).T
        (row, row_stop), (col, col_stop) = _whole_pixels(rows), _whole_pixels(cols)
        return Window(row, col, row_stop - row, col_stop - col)

    def crop(self, window: Window) -> Self:
        """Return the grid of a window, which may extend beyond this grid."""
        return replace(self, transform=self.window_transform(window), height=window.height, width=window.width)

    def resample(self, factor: float) -> Self:
        """Return a grid with the same extent and ``factor`` times as many pixels along each axis, at least one."""
        height, width = max(round(self.height * factor), 1), max(round(self.width * factor), 1)
        return self.with_shape(height, width)

    def with_shape(self, height: int, width: int) -> Self:
        """Return a grid with the same extent and ``height`` x ``width`` pixels."""
        t, down, across = self.transform, self.height / height, self.width / width
        stretched = Affine(t.a * across, t.b * down, t.c, t.d * across, t.e * down, t.f)
        return replace(self, transform=stretched, height=height, width=width)

    def matches(self, other: "Grid", tolerance: float = CORNER_TOLERANCE) -> bool:
        """Return True if both grids have the same size and CRS, and the same corners.

        Args:
            other: The grid to compare with.
            tolerance: Largest distance between corresponding corners, in pixels.
        """
        if self.shape != other.shape or self.crs != other.crs:
            return False
        side = min(self.pixel_size)
        pairs = zip(self.corners, other.corners, strict=True)
        return all(math.dist(a, b) <= tolerance * side for a, b in pairs)

    def require_match(
        self,
        other: "Grid",
        name: str = "the first raster",
        other_name: str = "the second raster",
        *,
        tolerance: float = CORNER_TOLERANCE,
    ) -> None:
        """Raise an error unless both grids match.

        Args:
            other: The grid to compare with.
            name: Description of the data on this grid, for the error message.
            other_name: Description of the data on the other grid, for the error message.
            tolerance: Largest distance between corresponding corners, in pixels.

        Raises:
            GridMismatch: If the sizes, CRSs or corners differ.
        """
        if self.matches(other, tolerance):
            return
        if self.shape != other.shape:
            difference = f"{self.height} x {self.width} pixels and {other.height} x {other.width}"
        elif self.crs != other.crs:
            difference = f"{crs_name(self.crs)} and {crs_name(other.crs)}"
        else:
            corners = f"corners {self.corners[0]} and {other.corners[0]}"
            difference = f"{corners}, pixels {self.pixel_size} and {other.pixel_size}"
        raise GridMismatch(
            f"{name} and {other_name} are on different grids: {difference}",
            "warp one of them onto the grid of the other (gdalwarp)",
        )

    def require_same_place(
        self, other: "Grid", name: str = "the first raster", other_name: str = "the second raster"
    ) -> None:
        """Raise an error unless both grids cover the same area pixel by pixel, as far as can be determined.

        Unlike :meth:`require_match`, this method ignores missing information: CRSs are compared only if both grids have
        one, and CRSs and corners only if neither transform is the identity, which means that a raster has no location.
        If a CRS is missing, corners may differ by half a pixel, because the values in world files are often rounded.

        Args:
            other: The grid to compare with.
            name: Description of the data on this grid, for the error message.
            other_name: Description of the data on the other grid, for the error message.

        Raises:
            GridMismatch: If the sizes, CRSs or corners differ.
        """
        first, second, tolerance = self, other, CORNER_TOLERANCE
        if first.crs is None or second.crs is None:
            first, second, tolerance = replace(first, crs=None), replace(second, crs=None), ROUNDING_TOLERANCE
        if first.transform.is_identity or second.transform.is_identity:
            first, second = (replace(grid, transform=Affine.identity(), crs=None) for grid in (first, second))
        first.require_match(second, name, other_name, tolerance=tolerance)

    def is_same_place(self, other: "Grid") -> bool:
        """Return True unless :meth:`require_same_place` raises an error."""
        try:
            self.require_same_place(other)
        except GridMismatch:
            return False
        return True

    def _to_geocentric(self, positions: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        """Convert (col, row) to (x, y, z) in meters from the center of the Earth; NaN where the CRS is not defined."""
        assert self.crs is not None
        try:
            transformer = Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True)
            xs, ys = zip(*(map_point(self.transform, col, row) for col, row in positions), strict=True)
            lon, lat = (np.radians(np.where(np.isfinite(d), d, np.nan)) for d in transformer.transform(xs, ys))
        except (
            CRSError,
            ProjError,
        ):  # a CRS that cannot be transformed to longitude and latitude, such as an engineering CRS
            return np.full((len(positions), 3), np.nan)
        prime_vertical = WGS84_SEMI_MAJOR_M / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(lat) ** 2)
        from_axis = prime_vertical * np.cos(lat)
        height = prime_vertical * (1 - WGS84_ECCENTRICITY_SQUARED) * np.sin(lat)
        return np.stack([from_axis * np.cos(lon), from_axis * np.sin(lon), height], axis=1)

    def _meters_per_unit(self) -> float:
        assert self.crs is not None
        return unit_factor(self.crs)


def _whole_pixels(positions: NDArray[np.float64]) -> tuple[int, int]:
    """Return the index of the first pixel that contains a position, and the index after the last such pixel."""
    first = math.floor(positions.min() + BORDER_TOLERANCE)
    return first, max(math.ceil(positions.max() - BORDER_TOLERANCE), first)
