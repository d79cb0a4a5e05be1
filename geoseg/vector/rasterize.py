"""Conversion of polygons to masks: labels drawn in a GIS become class indices on the grid of a scene.

A pixel belongs to a polygon if its center is inside; where polygons overlap, the later one in the layer wins, unless
classes have a priority. :mod:`geoseg.vector.io.select_polygons` decides which geometries count.
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

    What is left out (points, lines, features without geometry) or repaired (polygons that cross themselves) is counted
    and logged as a warning.

    Args:
        polygons: A frame, or a vector file of which only the features near the grid are read; in any CRS.
        grid: The grid of the mask.
        value: Class index of all polygons; give either ``value`` or ``column``.
        column: Attribute that holds the class of each polygon.
        classes: Class index by value of the attribute, None for missing values; None if the attribute is the class index.
        priority: Class indices, the one on top first, where polygons overlap; other classes lie below them. Polygons of
            equal priority lie in the order of the layer, the last one on top.
        fill: Class index outside polygons.
        layer: Name of the layer in a file with several.

    Returns:
        Class indices, axes (row, col).

    Raises:
        LayerError: If the file cannot be read, the column is missing, ``classes`` lacks a value of the attribute, only one of
            layer and grid has a CRS, or the coordinates of the file are not in its CRS.
        GridMismatch: If PROJ knows no transformation between the CRSs.
        ConfigError: If the values to burn are missing, contradictory or not class indices.
    """
    if (value is None) == (column is None):
        raise ConfigError("polygons are burned with one value or by a column", "give either value or column")
    if column is None and (classes is not None or priority):
        raise ConfigError("classes and priority apply to the values of a column, but none is given", "give column")
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
