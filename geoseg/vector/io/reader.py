"""Read vector files: the choice of the layer, the kinds of geometry that count, the spatial filter, the CRS.

Labels, areas of interest and layers to generalize are read by the functions of this module only:
:func:`read_features`, :func:`read_areas` and :func:`read_polygons`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from geoseg._output_files import LAYER_SUFFIXES
from geoseg._text import did_you_mean, join_names
from geoseg.errors import LayerError
from geoseg.grid.grid import Bounds, Grid, crs_name
from geoseg.vector.io.arrow import BBOX, GEOMETRY, encode_bbox
from geoseg.vector.io.geoparquet import is_parquet, read_parquet
from geoseg.vector.io.require_file import require_file

LAYER_NAME = "polygons"
"""Name of the layer that geoseg writes, in formats with named layers."""

POLYGON_DIMENSION = 2
"""Dimension that shapely reports for polygons; points and lines have no area."""

EDGE_POINTS = 21
"""Points per side when bounds are reprojected, because straight sides become curves."""


def is_vector_layer(path: Path) -> bool:
    """Report whether a file holds polygons rather than pixels, judged by its suffix, and its table of contents if it is
    a GeoPackage.
    """
    if path.suffix.lower() not in LAYER_SUFFIXES or not path.exists():
        return False
    if path.suffix.lower() != ".gpkg":
        return True
    try:
        return bool(list_layers(path))
    except DataSourceError:
        return False


def read_features(path: str | Path, grid: Grid | None = None, *, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read features of any geometry type, as they are in the file.

    Args:
        path: A vector file.
        grid: If given, only features whose bounds intersect those of the grid are read, where the format allows it.
        layer: Name of the layer; None for the only layer that has geometries.

    Returns:
        The features in the file's CRS.

    Raises:
        LayerError: The file cannot be read, has no such layer, or has several and ``layer`` is None.
    """
    name = require_file(path)
    with layer_errors(name):
        if is_parquet(name):
            return read_parquet(name)
        layer = _select_layer(list_layers(name), layer, name)
        bbox = None if grid is None else _bounds_in(_layer_crs(name, layer), grid)
        return pyogrio.read_dataframe(name, layer=layer, bbox=bbox)


def read_polygons(path: str | Path) -> gpd.GeoDataFrame:
    """Read the Polygons and MultiPolygons of a file's main layer (see :func:`find_layer`), without empty ones.

    Raises:
        LayerError: The file cannot be read, or has features but no polygons.
    """
    name = require_file(path)
    with layer_errors(name):
        frame = read_parquet(name) if is_parquet(name) else pyogrio.read_dataframe(name, layer=find_layer(name))
    geometries = frame.geometry.to_numpy()
    if len(frame) and not (shapely.get_dimensions(geometries) == POLYGON_DIMENSION).any():
        raise LayerError(f"{path} holds no polygons", "give a layer of polygons")
    types = np.isin(shapely.get_type_id(geometries), [shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON])
    return frame[types & ~shapely.is_empty(geometries)].reset_index(drop=True)


def read_areas(path: str | Path, grid: Grid) -> NDArray[np.object_]:
    """Read all parts with an area that may intersect a grid, including those of collections.

    Args:
        path: A vector file with one layer of geometries.
        grid: The grid.

    Returns:
        Valid shapely Polygons (part,) in the CRS of the grid.

    Raises:
        LayerError: The file cannot be read, or only one of file and grid has a CRS.
    """
    geometries = match_crs(read_features(path, grid), grid.crs).geometry.to_numpy()
    parts = shapely.get_parts(geometries[~shapely.is_missing(geometries)])
    parts = shapely.get_parts(shapely.make_valid(parts))
    has_area = (shapely.get_dimensions(parts) == POLYGON_DIMENSION) & ~shapely.is_empty(parts)
    areas: NDArray[np.object_] = parts[has_area]
    return areas


def match_crs(frame: gpd.GeoDataFrame, crs: CRS | None) -> gpd.GeoDataFrame:
    """Reproject a frame to the CRS of a grid; if neither has a CRS, return it unchanged.

    Raises:
        LayerError: Only one of the two has a CRS.
    """
    if (crs is None) != (frame.crs is None):
        without, other = ("the grid", "the layer") if crs is None else ("the layer", "the grid")
        known = crs_name(crs or CRS.from_user_input(frame.crs))
        raise LayerError(f"{without} has no CRS, but {other} is in {known}", f"assign a CRS to {without}")
    return frame if crs is None or frame.crs == crs else frame.to_crs(crs)


def list_layers(path: str | Path) -> list[str]:
    """List the layers that have geometries."""
    return [str(name) for name, geometry in pyogrio.list_layers(path) if geometry is not None]


def find_layer(path: str | Path) -> str:
    """Find the main layer of a file: the one named as geoseg names it, else the first.

    Raises:
        LayerError: No layer has geometries.
    """
    layers = list_layers(path)
    if not layers:
        raise LayerError(f"{path} has no layer with geometries", "give a file with polygons")
    return LAYER_NAME if LAYER_NAME in layers else layers[0]


def read_batches(path: Path, schema: pa.Schema, *, where: str | None = None) -> Iterator[pa.RecordBatch]:
    """Read the main layer of a file in Arrow batches.

    Args:
        path: A vector file.
        schema: The fields to read, among them geometry and bounds (see :mod:`geoseg.vector.io.arrow`).
        where: An SQL condition on rows; not for GeoParquet.
    """
    if is_parquet(path):
        for batch in pq.ParquetFile(path).iter_batches():
            yield _cast_batch(batch, GEOMETRY, schema)
        return
    with pyogrio.raw.open_arrow(path, layer=find_layer(path), where=where, use_pyarrow=True) as (meta, reader):
        for batch in reader:
            yield _cast_batch(batch, meta["geometry_name"] or "wkb_geometry", schema)


def _cast_batch(batch: pa.RecordBatch, geometry: str, schema: pa.Schema) -> pa.RecordBatch:
    wkb = batch.column(geometry)
    wkb = wkb.storage if isinstance(wkb, pa.ExtensionArray) else wkb
    bounds: np.ndarray[Any, Any] = shapely.bounds(shapely.from_wkb(wkb.to_numpy(zero_copy_only=False)))
    own = {GEOMETRY: wkb.cast(pa.binary()), BBOX: encode_bbox(bounds.reshape(-1, 4))}
    columns = [own[field.name] if field.name in own else batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def layer_errors(name: str) -> Iterator[None]:
    """Convert the errors of the reading libraries into a :class:`LayerError`."""
    try:
        yield
    except (DataSourceError, DataLayerError, CRSError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise LayerError(f"{name} cannot be read as polygons: {reason}", "give a GeoPackage, GeoJSON, ...") from error


def _select_layer(layers: list[str], layer: str | None, name: str) -> str:
    if layer is None and len(layers) == 1:
        return layers[0]
    if layer is None:
        hint = f"name one of {join_names(layers)}" if layers else "give a file with polygons"
        raise LayerError(f"{name} has {len(layers)} layers of geometries", hint)
    if layer not in layers:
        raise LayerError(f"{name} has no layer {layer!r}", did_you_mean(layer, layers))
    return layer


def _layer_crs(name: str, layer: str) -> CRS | None:
    crs = pyogrio.read_info(name, layer=layer)["crs"]
    return CRS.from_user_input(crs) if crs else None


def _bounds_in(crs: CRS | None, grid: Grid) -> Bounds | None:
    """Return the bounds of a grid in another CRS; None, which means everything, where they are unknown."""
    if crs is None or grid.crs is None:
        return grid.bounds if crs is grid.crs else None
    try:
        transformer = Transformer.from_crs(grid.crs, crs, always_xy=True)
        bounds = transformer.transform_bounds(*grid.bounds, densify_pts=EDGE_POINTS)
    except ProjError:
        return None
    left, _, right, _ = bounds
    return bounds if np.isfinite(bounds).all() and left <= right else None  # left > right: across the antimeridian
