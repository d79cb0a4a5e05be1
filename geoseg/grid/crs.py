"""Coordinate reference systems: names, transformations between two of them, and full turns of longitude."""

import math

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from geoseg.errors import GridMismatch

Longitudes = float | NDArray[np.float64]
"""One longitude, or an array of them."""


def crs_name(crs: CRS | None) -> str:
    """Return a short name of a CRS: ``EPSG:32633`` if it has a code, otherwise its own name.

    Example:
        >>> crs_name(CRS("EPSG:32633")), crs_name(None)
        ('EPSG:32633', 'no CRS')
    """
    if crs is None:
        return "no CRS"
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.name


def make_transformer(source: CRS, target: CRS) -> Transformer:
    """Return the transformation between two CRSs, with x (east, longitude) first in both.

    Raises:
        GridMismatch: There is none, because one of the CRSs is a site grid without a known position on the Earth
            (LOCAL_CS, an engineering CRS), or they are on different celestial bodies.
    """
    if source == target:
        return Transformer.from_pipeline("+proj=noop")
    try:
        return Transformer.from_crs(source, target, always_xy=True)
    except (CRSError, ProjError) as error:
        message = f"coordinates in {crs_name(source)} cannot be transformed to {crs_name(target)}"
        for crs in (source, target):
            if _is_local(crs):
                raise GridMismatch(
                    f"{message}: {crs_name(crs)} is a local grid (engineering CRS) without a known position on Earth",
                    "use one CRS for all files, or assign the true CRS (gdal_edit.py -a_srs EPSG:...)",
                ) from error
        raise GridMismatch(f"{message}: PROJ knows no operation between them", "use one CRS for all files") from error


def _is_local(crs: CRS) -> bool:
    """Return True for an engineering CRS, also as the horizontal part of a compound CRS."""
    return crs.is_engineering or any(_is_local(part) for part in crs.sub_crs_list)


def full_turn(crs: CRS) -> float:
    """Return a full turn in the unit of a geographic CRS: 360 degrees, or 400 grads."""
    return round(2 * math.pi / unit_factor(crs), 6)


def unit_factor(crs: CRS) -> float:
    """Return the unit of x in meters, or in radians if the CRS is geographic; 1.0 if the CRS does not define its axes."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0


def is_in_range(bounds: tuple[float, float, float, float], crs: CRS) -> bool:
    """Return False if the CRS is geographic and the bounds exceed the range of longitudes and latitudes.

    Args:
        bounds: (left, bottom, right, top) in the CRS; longitudes may be given from -180 or from 0 degrees.
        crs: The CRS.
    """
    if not crs.is_geographic:
        return True
    west, south, east, north = bounds
    turn = full_turn(crs) * (1 + 1e-9)
    return -turn <= west and east <= turn and -turn / 4 <= south and north <= turn / 4


def find_turns(
    turn: float, west: Longitudes, east: Longitudes, *, left: float, right: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the numbers of full turns by which ranges of longitude, or of x, must be shifted to overlap another range.

    Longitudes may start at -180 or at 0 degrees, and a range may be wider than a turn, so any number of shifts can fit.

    Args:
        turn: Length of a full turn in the unit of the ranges.
        west: Smallest longitude or x of each range.
        east: Largest longitude or x of each range.
        left: Smallest longitude or x of the range to overlap.
        right: Largest longitude or x of the range to overlap.

    Returns:
        The first and the last number of turns for each range, which are whole numbers; the first is larger if no shift
        fits, and both are NaN if a value is NaN. Ranges that only touch do not overlap.

    Example:
        >>> [int(number) for number in find_turns(360.0, -170.0, -160.0, left=0, right=360)]
        [1, 1]
    """
    return np.floor((left - np.asarray(east)) / turn) + 1, np.ceil((right - np.asarray(west)) / turn) - 1
