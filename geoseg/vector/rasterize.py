"""Convert polygons, such as labels drawn in a GIS, to masks of class indices on the grid of a scene.

A pixel belongs to a polygon if its center is inside the polygon. Where polygons overlap, the last one in the layer is on
top, unless classes have a priority. :mod:`geoseg.vector.io.select_polygons` determines which geometries are used.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, LayerError
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.vector.explain_miss import Miss, explain_miss
from geoseg.vector.io.reader import GridPolygons
from geoseg.vector.label_polygons import LabelPolygons, require_class_index

logger = logging.getLogger(__name__)


def rasterize(
    polygons: gpd.GeoDataFrame | str | Path,
    grid: Grid,
    *,
    value: int | None = None,
    column: str | None = None,
    classes: Mapping[Any, int] | None = None,
    priority: Sequence[int] = (),
    fill: int = IGNORE_INDEX,
    layer: str | None = None,
) -> NDArray[np.uint8]:
    """Burn polygons into a mask.

    Features that are left out (points, lines, features without a geometry) or repaired (self-crossing polygons) are
    counted, and a warning is logged.

    Args:
        polygons: A GeoDataFrame or a vector file, in any CRS. From a file, only the features near the grid are read.
        grid: The grid of the mask.
        value: Class index of all polygons; specify either ``value`` or ``column``.
        column: Attribute that contains the class of each polygon.
        classes: Mapping from attribute values to class indices, with the key None for missing values; None if the
            attribute is the class index.
        priority: Class indices, topmost first, where polygons overlap; all other classes are below them. Polygons with
            the same priority are drawn in layer order, the last one on top.
        fill: Class index outside the polygons.
        layer: Name of the layer, for a file with several layers.

    Returns:
        Class indices, axes (row, col).

    Raises:
        LayerError: If the file cannot be read, the column is missing, ``classes`` lacks an attribute value, only one of
            the layer and the grid has a CRS, or the coordinates in the file cannot be in the CRS that it declares.
        GridMismatch: If PROJ has no transformation between the two CRSs.
        ConfigError: If the values to burn are missing, contradictory or not class indices.
    """
    if (value is None) == (column is None):
        raise ConfigError("rasterize takes either value or column", "specify exactly one of the two")
    if column is None and (classes is not None or priority):
        raise ConfigError("classes and priority require column", "specify column")
    for number in (fill, *priority, *(() if value is None else (value,))):
        require_class_index(number)
    is_frame = isinstance(polygons, gpd.GeoDataFrame)
    name = "the layer" if is_frame else str(polygons)
    near = GridPolygons.from_frame(polygons, grid) if is_frame else GridPolygons.read(polygons, grid, layer=layer)
    labels = LabelPolygons.select(near, value=value, column=column, classes=classes, priority=priority, name=name)
    mask, is_touched = labels.burn(grid, fill=fill)
    for note in labels.notes:
        logger.warning("%s", note)
    if not is_touched:
        _report_miss(explain_miss(polygons, grid, layer=layer))
    return mask


def _report_miss(miss: Miss) -> None:
    if miss.is_impossible:
        raise LayerError(miss.message, miss.hint)
    logger.warning("%s", miss.note)
