"""Conversion of polygons to masks: labels drawn in a GIS become class indices on the grid of a scene.

A pixel belongs to a polygon if its center is inside; where polygons overlap, the later one in the layer wins.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize as burn

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError, LayerError
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.vector.io.reader import match_crs, read_features


def rasterize(
    polygons: gpd.GeoDataFrame | str | Path,
    grid: Grid,
    *,
    value: int | None = None,
    column: str | None = None,
    classes: Mapping[Any, int] | None = None,
    fill: int = IGNORE_INDEX,
    layer: str | None = None,
) -> NDArray[np.uint8]:
    """Burn polygons into a mask.

    Args:
        polygons: A frame, or a vector file of which only the features near the grid are read; in any CRS. Features
            without geometry are left out.
        grid: The grid of the mask.
        value: Class index of all polygons; give either ``value`` or ``column``.
        column: Attribute that holds the class of each polygon.
        classes: Class index by value of the attribute; None if the attribute is the class index.
        fill: Class index outside polygons.
        layer: Name of the layer in a file with several.

    Returns:
        Class indices, axes (row, col).

    Raises:
        LayerError: The file cannot be read, the column is missing, ``classes`` lacks a value of the attribute, or only
            one of layer and grid has a CRS.
        ConfigError: The values to burn are missing, contradictory or not class indices.
    """
    if (value is None) == (column is None):
        raise ConfigError("polygons are burned with one value or by a column", "give either value or column")
    if column is None and classes is not None:
        raise ConfigError("classes explain the values of a column, but no column is given", "give column")
    frame = polygons if isinstance(polygons, gpd.GeoDataFrame) else read_features(polygons, grid, layer=layer)
    frame = match_crs(frame, grid.crs)
    geometries = frame.geometry.to_numpy()
    present = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    geometries, frame = geometries[present], frame[present]
    values = np.full(len(frame), value) if column is None else _class_indices(frame, column, classes)
    for number in (fill, *np.unique(values).tolist()):
        if not 0 <= number <= IGNORE_INDEX:
            raise ConfigError(f"invalid class index {number}", f"class indices are between 0 and {IGNORE_INDEX}")
    if not len(geometries):
        return np.full(grid.shape, fill, np.uint8)
    pairs = zip(geometries, values.tolist(), strict=True)
    mask: NDArray[np.uint8] = burn(pairs, grid.shape, fill=fill, transform=grid.transform, dtype=np.uint8)
    return mask


def _class_indices(frame: gpd.GeoDataFrame, column: str, classes: Mapping[Any, int] | None) -> NDArray[np.int64]:
    if column not in frame.columns:
        raise LayerError(f"the layer has no column {column!r}", did_you_mean(column, map(str, frame.columns)))
    attributes: pd.Series[Any] = frame[column]
    if classes is None:
        numbers = pd.to_numeric(attributes, errors="coerce").to_numpy(np.float64)
        invalid = attributes[~(numbers == np.floor(numbers))]
        if len(invalid):
            raise LayerError(
                f"{column} is {invalid.iloc[0]!r}, which is not a class index", "map it to a class index by classes"
            )
        return numbers.astype(np.int64)
    unknown = attributes[~attributes.isin(list(classes))]
    if len(unknown):
        raise LayerError(
            f"{column} is {unknown.iloc[0]!r} in {len(unknown)} polygons, but the classes lack this value",
            f"add it to the classes, as {IGNORE_INDEX} if these polygons are not labelled",
        )
    return np.array([classes[attribute] for attribute in attributes], dtype=np.int64)
