"""Find out why no polygon covers a pixel center in a grid: no overlap, wrong CRS, swapped axes, or tiny polygons."""

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
from pyproj import CRS

from geoseg.errors import GeosegError
from geoseg.grid.crs import crs_name, is_in_range, make_transformer
from geoseg.grid.grid import Bounds, Grid
from geoseg.vector.io.bounding_boxes import EDGE_POINTS
from geoseg.vector.io.geoparquet import is_parquet, read_parquet
from geoseg.vector.io.reader import find_layer, layer_errors
from geoseg.vector.io.require_file import require_file

LON_LAT = CRS("OGC:CRS84")
"""Longitude and latitude in degrees, in this order."""


@dataclass(frozen=True)
class Miss:
    """The reason why no polygon contains the center of a pixel."""

    message: str
    """One sentence that states the likely reason and includes the file name."""
    hint: str
    """How to fix it."""
    is_empty: bool = False
    """True if the layer has no features, which may be intentional."""
    is_impossible: bool = False
    """True if the coordinates are outside the valid range of the CRS declared in the file."""

    @property
    def note(self) -> str:
        """Message and hint as one note."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


def explain_miss(polygons: gpd.GeoDataFrame | str | Path, grid: Grid, *, layer: str | None = None) -> Miss:
    """Find the likely reason why no polygon contains the center of a pixel in a grid.

    Args:
        polygons: A GeoDataFrame, or a vector file.
        grid: The grid.
        layer: Name of the layer, for a file with several layers.

    Raises:
        LayerError: If the file cannot be read.
    """
    is_frame = isinstance(polygons, gpd.GeoDataFrame)
    name = "the layer" if is_frame else str(polygons)
    extent, crs = _frame_extent(polygons) if is_frame else _file_extent(polygons, layer)
    if extent is None:
        return Miss(f"{name} contains no polygons", "", is_empty=True)
    if crs is None or grid.crs is None:
        return _other_place(name, extent, crs, grid)
    is_impossible = not is_in_range(extent, crs)
    if _overlaps(extent, crs, grid):
        return Miss(
            f"no polygon of {name} contains the center of a pixel", "compare the polygons with the pixel grid in a GIS"
        )
    for explain in (_wrong_crs, _swapped_axes):
        found = explain(name, extent, crs, grid)
        if found is not None:
            return Miss(*found, is_impossible=is_impossible)
    if is_impossible:
        return Miss(
            f"{name} declares {crs_name(crs)}, but its coordinates ({_format(extent)}) are not longitudes and latitudes",
            "assign the CRS of the coordinates: ogr2ogr -a_srs EPSG:... fixed.gpkg FILE; GeoJSON without a crs member is "
            "read as longitude and latitude",
            is_impossible=True,
        )
    return _other_place(name, extent, crs, grid)


def _frame_extent(frame: gpd.GeoDataFrame) -> tuple[Bounds | None, CRS | None]:
    extent = frame.total_bounds
    west, south, east, north = map(float, extent)
    return (west, south, east, north) if np.isfinite(extent).all() else None, frame.crs


def _file_extent(path: str | Path, layer: str | None) -> tuple[Bounds | None, CRS | None]:
    name = require_file(path)
    with layer_errors(name):
        if is_parquet(name):
            return _frame_extent(read_parquet(name))
        info = pyogrio.read_info(name, layer=find_layer(name, layer), force_total_bounds=True)
        extent, crs = info["total_bounds"], info["crs"]
        has_extent = info["features"] != 0 and extent is not None and np.isfinite(extent).all()
        return tuple(extent) if has_extent else None, CRS.from_user_input(crs) if crs else None


def _overlaps(extent: Bounds, crs: CRS, grid: Grid) -> bool:
    """Return whether an extent overlaps a grid, assuming that its coordinates are in ``crs``."""
    assert grid.crs is not None
    if not is_in_range(extent, crs):
        return False
    try:
        transformer = make_transformer(crs, grid.crs)
        box = extent if crs == grid.crs else transformer.transform_bounds(*extent, densify_pts=EDGE_POINTS)
    except (GeosegError, RuntimeError):  # pyproj's errors are RuntimeErrors
        return False
    left, bottom, right, top = grid.bounds
    return bool(np.isfinite(box).all() and box[0] < right and left < box[2] and box[1] < top and bottom < box[3])


def _wrong_crs(name: str, extent: Bounds, crs: CRS, grid: Grid) -> tuple[str, str] | None:
    assert grid.crs is not None
    for candidate in (grid.crs, LON_LAT):
        if candidate != crs and _overlaps(extent, candidate, grid):
            fitting = "longitudes and latitudes" if candidate is LON_LAT else f"in {crs_name(candidate)}"
            code = "EPSG:4326" if candidate is LON_LAT else crs_name(candidate)
            why = ", as GeoJSON without a crs member does" if crs.is_geographic else ""
            claim = f"no polygon of {name} touches the scene: the file declares {crs_name(crs)}{why}"
            seem = f"but its coordinates ({_format(extent)}) seem to be {fitting}"
            return f"{claim}, {seem}", f"assign the CRS: ogr2ogr -a_srs {code} fixed.gpkg {name}"
    return None


def _swapped_axes(name: str, extent: Bounds, crs: CRS, grid: Grid) -> tuple[str, str] | None:
    assert grid.crs is not None
    west, south, east, north = extent
    swapped = (south, west, north, east)
    for candidate in (crs, grid.crs):
        if _overlaps(swapped, candidate, grid):
            return (
                f"no polygon of {name} touches the scene: the x and y coordinates ({_format(extent)}) seem to be swapped",
                'write x (longitude, easting) first; QGIS: "Swap X and Y coordinates"',
            )
    return None


def _other_place(name: str, extent: Bounds, crs: CRS | None, grid: Grid) -> Miss:
    return Miss(
        f"no polygon of {name} touches the scene: the polygons span {_format(extent)} in {crs_name(crs)}, "
        f"the scene {_format(grid.bounds)} in {crs_name(grid.crs)}",
        "use polygons that overlap the scene, or correct the CRS of one of the two",
    )


def _format(bounds: Bounds) -> str:
    return ", ".join(f"{number:.7g}" for number in bounds)
