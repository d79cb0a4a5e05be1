"""Select the polygons in a layer. All functions that read polygons use this module.

* Polygons and MultiPolygons are selected; z coordinates are dropped. GDAL converts curves to short segments while
  reading.
* The polygons in a GeometryCollection are selected.
* A self-crossing polygon is repaired by the even-odd rule, with which GDAL and QGIS also draw it: a point is inside if a
  ray from the point crosses the border an odd number of times. Overlapping parts of a MultiPolygon are united.
* Everything else is left out and counted: points, lines, features without geometry, polygons without area, and geometries
  with coordinates that are not finite or above :data:`MAX_COORDINATE`.
"""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

POLYGON_DIMENSION = 2
"""Dimension that shapely reports for polygons; points and lines have no area."""

MAX_COORDINATE = 1e12
"""Largest absolute coordinate in CRS units. No place on Earth has a larger one, and areas would overflow."""


def select_polygons(frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, dict[str, int]]:
    """Select the features that have an area, and make them valid.

    Args:
        frame: Features of any geometry type.

    Returns:
        The selected features in their original order, each a valid 2D Polygon or MultiPolygon; and the number of
        features that were left out or repaired, by reason (see :func:`describe_selection`).
    """
    geometries = shapely.force_2d(frame.geometry.to_numpy())
    reasons = _find_reasons(geometries)
    selected = reasons == ""
    geometries[selected], is_repaired = _repair(geometries[selected])
    collapsed = selected & (shapely.area(np.where(selected, geometries, None)) == 0)
    reasons[collapsed], selected = "without area", selected & ~collapsed
    counts = {str(reason): int((reasons == reason).sum()) for reason in np.unique(reasons[~selected])}
    if is_repaired.any():
        counts["repaired"] = int(is_repaired.sum())
    result = frame[selected].copy()
    result[frame.geometry.name] = gpd.GeoSeries(geometries[selected], index=result.index, crs=frame.crs)
    return result, counts


def describe_selection(counts: dict[str, int]) -> str:
    """Describe the counts from :func:`select_polygons` in words; an empty string if nothing was left out or repaired.

    Example:
        >>> describe_selection({"point": 2, "without geometry": 1, "repaired": 1})
        'left out 3 features (2 points, 1 without geometry); repaired 1 self-crossing polygon'
    """
    left_out = {reason: count for reason, count in counts.items() if reason != "repaired"}
    parts = []
    if left_out:
        total = sum(left_out.values())
        plurals = {reason: f"{reason}s" for reason in ("point", "line")}
        listed = ", ".join(
            f"{count} {plurals.get(reason, reason) if count > 1 else reason}" for reason, count in left_out.items()
        )
        parts.append(f"left out {total} feature{'s' if total > 1 else ''} ({listed})")
    if repaired := counts.get("repaired", 0):
        parts.append(f"repaired {repaired} self-crossing polygon{'s' if repaired > 1 else ''}")
    return "; ".join(parts)


def _find_reasons(geometries: NDArray[np.object_]) -> NDArray[np.str_]:
    """Return the reason why each geometry is left out; an empty string if it has an area."""
    dimensions = shapely.get_dimensions(geometries)
    reasons = np.full(len(geometries), "", "<U40")
    reasons[dimensions == 0] = "point"
    reasons[dimensions == 1] = "line"
    reasons[shapely.is_missing(geometries) | shapely.is_empty(geometries)] = "without geometry"
    coordinates, owners = shapely.get_coordinates(geometries, return_index=True)
    reasons[owners[(np.abs(coordinates) > MAX_COORDINATE).any(axis=1)]] = f"with coordinates above {MAX_COORDINATE:g}"
    reasons[owners[~np.isfinite(coordinates).all(axis=1)]] = "with coordinates that are not finite"
    return reasons


def _repair(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Return valid Polygons and MultiPolygons, and which geometries were repaired."""
    is_collection = shapely.get_type_id(geometries) == shapely.GeometryType.GEOMETRYCOLLECTION
    is_invalid = ~shapely.is_valid(geometries)
    repaired = geometries.copy()
    for i in np.flatnonzero(is_collection | is_invalid):
        repaired[i] = unite_polygons(shapely.make_valid(list(_polygons_of(geometries[i]))))
    return repaired, is_invalid


def unite_polygons(geometries: Iterable[shapely.Geometry]) -> shapely.Geometry:
    """Return the union of the polygons in geometries: one valid Polygon or MultiPolygon."""
    united: shapely.Geometry = shapely.union_all([polygon for each in geometries for polygon in _polygons_of(each)])
    return united


def _polygons_of(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    """Return the polygons in a geometry, including those nested in collections."""
    parts = [geometry]
    while any(shapely.get_type_id(parts) > shapely.GeometryType.POLYGON):  # Multi-geometries and collections
        parts = list(shapely.get_parts(parts))
    return [part for part in parts if shapely.get_type_id(part) == shapely.GeometryType.POLYGON]
