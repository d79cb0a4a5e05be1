"""Vector files as frames: the first layer with geometries, or the only one."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from geoseg.errors import LayerError, did_you_mean
from geoseg.vector.io.arrow import LAYER
from geoseg.vector.io.geoparquet import read_parquet

SUFFIXES = (".gpkg", ".parquet", ".fgb", ".geojson", ".json", ".shp", ".gml", ".kml")
"""Files that hold polygons rather than pixels; a GeoPackage may hold either."""

SURFACE = 2
"""shapely's dimension of polygons."""


def is_layer(path: Path) -> bool:
    """True if a file holds polygons, as far as its name and its table of contents tell."""
    if path.suffix.lower() not in SUFFIXES or not path.exists():
        return False
    if path.suffix.lower() != ".gpkg":
        return True
    try:
        return any(geometry is not None for _, geometry in pyogrio.list_layers(path))
    except DataSourceError:
        return False


def read_layer(path: str | Path) -> gpd.GeoDataFrame:
    """The polygons of a vector file with their attributes; features without area are left out.

    :class:`LayerError` if the file cannot be read, or has no polygons.
    """
    path = Path(path)
    if not path.exists():
        names = [file.name for file in path.parent.glob("*")]
        raise LayerError(f"{path} does not exist", did_you_mean(path.name, names) if len(names) < 1000 else "")
    try:
        frame = read_parquet(path) if path.suffix.lower() == ".parquet" else _read(path)
    except (DataSourceError, DataLayerError, ValueError, OSError) as error:
        raise LayerError(f"{path} cannot be read as polygons: {error}", "give a GeoPackage, GeoJSON, ...") from error
    geometries = frame.geometry.to_numpy()
    dimensions = shapely.get_dimensions(geometries)
    if len(frame) and not (dimensions == SURFACE).any():
        raise LayerError(f"{path} holds no polygons", "give a layer of polygons")
    types = np.isin(shapely.get_type_id(geometries), [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON])
    return frame[types & ~shapely.is_empty(geometries)].reset_index(drop=True)


def _read(path: Path) -> gpd.GeoDataFrame:
    layers = [str(name) for name, geometry in pyogrio.list_layers(path) if geometry is not None]
    if not layers:
        raise LayerError(f"{path} has no layer with geometries", "give a file with polygons")
    return pyogrio.read_dataframe(path, layer=LAYER if LAYER in layers else layers[0])
