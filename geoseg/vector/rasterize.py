"""Polygons to mask: labels drawn in a GIS become class indices on the grid of a scene.

A pixel belongs to a polygon if its centre lies inside; where polygons overlap, the later one in the layer wins.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from rasterio.features import rasterize as burn

from geoseg.errors import ConfigError, LayerError, did_you_mean
from geoseg.grid.grid import Bounds, Grid, crs_name
from geoseg.legend import IGNORE_INDEX

EDGE_POINTS = 21
"""Points per side when the grid's bounds are reprojected: their sides become curves."""


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
    """Class indices (row, col) on ``grid``: what the polygons say, and ``fill`` where there is none.

    ``polygons`` are a frame or a vector file (``layer`` names one of several), in any CRS; of a file only what touches
    the grid is read. Either all polygons get one ``value``, or each gets what ``classes`` says about its attribute in
    ``column``; without ``classes`` the attribute is the class index itself. Features without geometry are left out.

    :class:`LayerError` if the file cannot be read, the column is missing, an attribute is not in ``classes``, or only
    one of layer and grid has a CRS; :class:`ConfigError` if it is not said what to burn.
    """
    if (value is None) == (column is None):
        raise ConfigError("polygons are burnt with one value or by a column", "give either value or column")
    if column is None and classes is not None:
        raise ConfigError("classes say what the attributes in a column mean, but no column is given", "give column")
    frame = polygons if isinstance(polygons, gpd.GeoDataFrame) else read_near(polygons, grid, layer=layer)
    frame = in_crs(grid.crs, frame)
    geometries = frame.geometry.to_numpy()
    present = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    geometries, frame = geometries[present], frame[present]
    values = np.full(len(frame), value) if column is None else _class_indices(frame, column, classes)
    for number in (fill, *np.unique(values).tolist()):
        if not 0 <= number <= IGNORE_INDEX:
            raise ConfigError(f"{number} is no class index", f"class indices lie between 0 and {IGNORE_INDEX}")
    if not len(geometries):
        return np.full(grid.shape, fill, np.uint8)
    pairs = zip(geometries, values.tolist(), strict=True)
    mask: NDArray[np.uint8] = burn(pairs, grid.shape, fill=fill, transform=grid.transform, dtype=np.uint8)
    return mask


def read_near(path: str | Path, grid: Grid, *, layer: str | None = None) -> gpd.GeoDataFrame:
    """The features of a vector file whose bounding boxes touch the grid's, in the file's CRS."""
    name = os.fspath(path)
    if "://" not in name and not name.startswith("/vsi") and not Path(name).exists():
        raise LayerError(f"{name} does not exist")
    try:
        if Path(name).suffix.lower() == ".parquet":
            return gpd.read_parquet(name)
        layer = _layer_name(name, layer)
        info = pyogrio.read_info(name, layer=layer)
        crs = CRS.from_user_input(info["crs"]) if info["crs"] else None
        return pyogrio.read_dataframe(name, layer=layer, bbox=_bounds_in(crs, grid))
    except (DataSourceError, DataLayerError, CRSError, ValueError, OSError) as error:
        raise LayerError(f"{name} cannot be read as polygons: {error}", "give a GeoPackage, GeoJSON, ...") from error


def _layer_name(name: str, layer: str | None) -> str:
    """The layer of that name, or the only one with geometries."""
    known = [str(layer_name) for layer_name, geometry in pyogrio.list_layers(name) if geometry is not None]
    if layer is None and len(known) == 1:
        return known[0]
    if layer is None:
        raise LayerError(
            f"{name} has {len(known)} layers of geometries", f"name one: {', '.join(known)}" if known else ""
        )
    if layer not in known:
        raise LayerError(f"{name} has no layer {layer!r}", did_you_mean(layer, known))
    return layer


def _bounds_in(crs: CRS | None, grid: Grid) -> Bounds | None:
    """The grid's bounds in another CRS; None (read everything) if they cannot be known."""
    if crs is None or grid.crs is None:
        return grid.bounds if crs is grid.crs else None
    try:
        transformer = Transformer.from_crs(grid.crs, crs, always_xy=True)
        bounds = transformer.transform_bounds(*grid.bounds, densify_pts=EDGE_POINTS)
    except ProjError:
        return None
    left, _, right, _ = bounds
    return bounds if np.isfinite(bounds).all() and left <= right else None  # left > right: across the antimeridian


def in_crs(crs: CRS | None, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The frame in the grid's CRS; pixel coordinates only if neither has one, :class:`LayerError` if only one has."""
    if (crs is None) != (frame.crs is None):
        which, other = ("the grid", "the layer") if crs is None else ("the layer", "the grid")
        known = crs_name(crs or CRS.from_user_input(frame.crs))
        raise LayerError(f"{which} has no CRS, but {other} is in {known}", f"give {which} its CRS")
    return frame if crs is None or frame.crs == crs else frame.to_crs(crs)


def _class_indices(frame: gpd.GeoDataFrame, column: str, classes: Mapping[Any, int] | None) -> NDArray[np.int64]:
    if column not in frame.columns:
        raise LayerError(f"the layer has no column {column!r}", did_you_mean(column, map(str, frame.columns)))
    attributes: pd.Series[Any] = frame[column]
    if classes is None:
        numbers = pd.to_numeric(attributes, errors="coerce").to_numpy(np.float64)
        wrong = attributes[~(numbers == np.floor(numbers))]
        if len(wrong):
            raise LayerError(f"{column} is {wrong.iloc[0]!r}, which is no class index", "say by classes what it means")
        return numbers.astype(np.int64)
    unknown = attributes[~attributes.isin(list(classes))]
    if len(unknown):
        hint = f"add it to the classes, with {IGNORE_INDEX} to leave it out"
        raise LayerError(
            f"{column} is {unknown.iloc[0]!r} in {len(unknown)} polygons, which the classes do not name", hint
        )
    return np.array([classes[attribute] for attribute in attributes], dtype=np.int64)
