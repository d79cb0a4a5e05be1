"""Read vector files: choose the layer, preserve the order of its features, and apply a spatial filter.

Labels, references and areas of interest are read by :class:`GridPolygons`; layers to be generalized are read by
:func:`read_polygons`. Both use :mod:`geoseg.vector.io.select_polygons`, which determines which geometries are used.
"""

import contextlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError

from geoseg._output_files import LAYER_SUFFIXES
from geoseg._text import count, did_you_mean, join_names
from geoseg.errors import GridMismatch, LayerError
from geoseg.grid.crs import crs_name
from geoseg.grid.grid import Bounds, Grid
from geoseg.vector.io.arrow import BBOX, GEOMETRY, encode_bbox
from geoseg.vector.io.bounding_boxes import find_boxes
from geoseg.vector.io.geoparquet import is_parquet, read_parquet, read_parquet_crs
from geoseg.vector.io.reproject import describe_crossing, reproject_polygons
from geoseg.vector.io.require_file import require_file
from geoseg.vector.io.select_polygons import describe_selection, select_polygons

logger = logging.getLogger(__name__)

LAYER_NAME = "polygons"
"""Name of the layer that geoseg writes to formats with named layers."""

LINEAR_KINDS = ("Point", "LineString", "CircularString", "CompoundCurve", "MultiCurve")
"""Substrings of GDAL's names for geometry types without an area."""

EVERYWHERE = (-math.inf, -math.inf, math.inf, math.inf)
"""Bounds that contain every geometry, but exclude missing geometries."""

MAX_NAMED_LAYERS = 10
"""Maximum number of layers listed in a message."""


def is_vector_layer(path: Path) -> bool:
    """Return True if a file contains features rather than pixels.

    This is determined from the suffix and, for a GeoPackage, from its list of layers.
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
    """Read features of any geometry type unchanged, in layer order.

    Args:
        path: A vector file.
        grid: If given, only features whose bounds intersect those of the grid are read.
        layer: Name of the layer; None for the default layer (see :func:`find_layer`).

    Returns:
        The features in the file's CRS.

    Raises:
        LayerError: If the file cannot be read, has no such layer, or has several layers of which none is the default.
        GridMismatch: If the CRS of the file cannot be transformed to the CRS of the grid.
    """
    name = require_file(path)
    with layer_errors(name):
        if is_parquet(name):
            boxes = None if grid is None else find_boxes(grid, read_parquet_crs(name))
            frame = read_parquet(name, boxes)
        else:
            for note in describe_layer_choice(name, layer):
                logger.warning("%s", note)
            layer = find_layer(name, layer)
            info = pyogrio.read_info(name, layer=layer)
            boxes = None if grid is None else find_boxes(grid, _parse_crs(info["crs"]))
            frame = _read_in_order(name, layer, info, boxes)
    if grid is None:
        return frame
    # GDAL's spatial filter omits features without a geometry, so any that it returned have a geometry that could not be
    # read; they are kept and counted later.
    return frame[_touches_any(frame, boxes or [EVERYWHERE], keep_empty=is_parquet(name) or boxes is not None)]


def _read_in_order(name: str, layer: str, info: Mapping[str, Any], boxes: Sequence[Bounds] | None) -> gpd.GeoDataFrame:
    """Read features in layer order.

    In formats with a spatial index, GDAL returns the features inside a box in the order of the index, but the feature
    IDs reflect the layer order. Other formats are read from the first feature to the last.
    """
    options = {"layer": layer, "fid_as_index": True, "on_invalid": "ignore"}
    if boxes is not None and info["total_bounds"] is not None:
        extent = shapely.box(*info["total_bounds"])
        boxes = [boxes[0], *(box for box in boxes[1:] if extent.intersects(shapely.box(*box)))]
    if boxes is None or (len(boxes) > 1 and not _has_index(info)):
        return pyogrio.read_dataframe(name, **options)
    frames = [pyogrio.read_dataframe(name, bbox=box, **options) for box in boxes]
    if len(frames) == 1 and not _has_index(info):
        return frames[0]
    filled = [frame for frame in frames if len(frame)] or frames[:1]  # pandas warns about empty frames
    frame = filled[0] if len(filled) == 1 else pd.concat(filled)
    return frame[~frame.index.duplicated()].sort_index()


def _has_index(info: Mapping[str, Any]) -> bool:
    return bool(info["capabilities"]["fast_spatial_filter"])


def _touches_any(frame: gpd.GeoDataFrame, boxes: Sequence[Bounds], *, keep_empty: bool) -> NDArray[np.bool_]:
    """Return which features have bounds that intersect any box; ``keep_empty`` also selects features without bounds."""
    bounds = shapely.bounds(frame.geometry.to_numpy())
    touches = np.zeros(len(frame), np.bool_)
    for left, bottom, right, top in boxes:
        x_overlaps = (bounds[:, 0] <= right) & (bounds[:, 2] >= left)
        touches |= x_overlaps & (bounds[:, 1] <= top) & (bounds[:, 3] >= bottom)
    if keep_empty:
        touches |= ~np.isfinite(bounds).all(axis=1)
    return touches


def read_polygons(path: str | Path, *, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read the polygons in a file; log a warning about features that are left out or repaired.

    See :mod:`geoseg.vector.io.select_polygons`.

    Raises:
        LayerError: If the file cannot be read, has several layers without a default, or has features but no polygons.
    """
    frame, counts = select_polygons(read_features(path, layer=layer))
    left_out = describe_selection(counts)
    if not len(frame) and left_out:
        raise LayerError(f"{path} contains no polygons: {left_out}", "use a layer of polygons")
    if left_out:
        logger.warning("%s: %s", path, left_out)
    return frame.reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class GridPolygons:
    """The polygons in a layer that may intersect a grid."""

    frame: gpd.GeoDataFrame
    """Valid Polygons and MultiPolygons in the CRS of the grid, in layer order, with their attributes."""
    notes: tuple[str, ...] = ()
    """Notes about features that were left out or repaired, one sentence each."""
    keeps_order: bool = True
    """False if the features were reordered when the file was written, because of its format."""

    @classmethod
    def from_frame(cls, frame: gpd.GeoDataFrame, grid: Grid, *, name: str = "the layer") -> Self:
        """Select the polygons in a GeoDataFrame, and reproject them to the CRS of a grid.

        Raises:
            LayerError: If only one of the GeoDataFrame and the grid has a CRS.
            GridMismatch: If PROJ has no transformation between the two CRSs.
        """
        selected, counts = select_polygons(frame)
        reprojected, crossing = reproject_polygons(selected, grid, name=name)
        notes = [describe_selection(counts)] if counts else []
        if lost := len(selected) - len(reprojected):
            notes.append(f"left out {count(lost, 'polygon')} that cannot be represented in {crs_name(grid.crs)}")
        if crossing:
            notes.append(f"{count(crossing, 'polygon')} {describe_crossing(selected.crs)}")
        return cls(reprojected, tuple(f"{name}: {note}" for note in notes))

    @classmethod
    def read(cls, path: str | Path, grid: Grid, *, layer: str | None = None) -> Self:
        """Read the polygons of a vector file that may intersect a grid.

        Raises:
            LayerError: If the file cannot be read or has no such layer, or if only one of the file and the grid has a
                CRS.
            GridMismatch: If PROJ has no transformation between the two CRSs.
        """
        name = require_file(path)
        with layer_errors(name):
            choice = () if is_parquet(name) else describe_layer_choice(name, layer)
            layer = None if is_parquet(name) else find_layer(name, layer)
        try:
            polygons = cls.from_frame(read_features(path, grid, layer=layer), grid, name=name)
        except GridMismatch as error:
            raise GridMismatch(f"{name}: {error.message}", error.hint) from error
        notes = (*choice, *polygons.notes)
        if nowhere := _count_nowhere(name, layer):
            notes += (f"{name}: {describe_selection({'without geometry': nowhere})}",)
        return replace(polygons, notes=notes, keeps_order=not _is_sorted(name))


def _count_nowhere(name: str, layer: str | None) -> int:
    """Count the features without geometry, which no spatial filter returns; 0 if the format does not support this."""
    # GeoParquet is read with these features, and a sorted FlatGeobuf cannot contain them.
    if layer is None or not Path(name).exists() or _is_sorted(name):
        return 0
    return _count_nowhere_in_version(name, layer, Path(name).stat().st_mtime_ns)


@lru_cache(maxsize=16)  # a file may contain the labels of many scenes
def _count_nowhere_in_version(name: str, layer: str, _modified: int) -> int:
    column = pyogrio.read_info(name, layer=layer)["geometry_name"]
    where = f'"{column}" IS NULL' if column else "OGR_GEOMETRY IS NULL"
    if column and Path(name).suffix.lower() == ".gpkg":  # ST_IsEmpty misreads the geometries in other SQLite files
        where += f' OR ST_IsEmpty("{column}")'
    try:  # geometries are read too, because otherwise the filter could not use them in FlatGeobuf
        return len(pyogrio.read_dataframe(name, layer=layer, where=where, columns=[]))
    except (DataLayerError, ValueError):
        return 0


def _is_sorted(name: str) -> bool:
    """Return True for FlatGeobuf with a spatial index, whose features are sorted spatially when the file is written."""
    return name.lower().endswith(".fgb") and _has_index(pyogrio.read_info(name))


def list_layers(path: str | Path) -> list[str]:
    """List the layers that have geometries."""
    return [str(name) for name, geometry in pyogrio.list_layers(path) if geometry is not None]


def find_layer(path: str | Path, layer: str | None = None) -> str:
    """Find the layer to read.

    This is ``layer`` if given, otherwise the only layer that can contain polygons, or the layer with the name that
    geoseg uses for its layers.

    Raises:
        LayerError: If there is no such layer, or if the choice is ambiguous.
    """
    names = list_layers(path)
    if not names:
        raise LayerError(f"{path} has no layer with geometries", "use a file that contains polygons")
    if layer is not None and layer not in names:
        raise LayerError(f"{path} has no layer {layer!r}", did_you_mean(layer, names))
    if layer is not None or len(names) == 1:
        return layer or names[0]
    kinds = {str(name): str(kind) for name, kind in pyogrio.list_layers(path)}
    areal = [name for name in names if not any(word in kinds[name] for word in LINEAR_KINDS)]
    if len(areal) != 1 and LAYER_NAME not in areal:
        raise LayerError(
            f"{path} has {len(names)} layers with geometries: {join_names(names, limit=MAX_NAMED_LAYERS)}",
            f"select one (layer, or data.layer in a recipe), or copy it: ogr2ogr one.gpkg {path} {names[0]}",
        )
    return areal[0] if len(areal) == 1 else LAYER_NAME


def describe_layer_choice(path: str | Path, layer: str | None = None) -> tuple[str, ...]:
    """Return a note if :func:`find_layer` chooses one of several layers, because ``layer`` is None."""
    number = len(list_layers(path)) if layer is None else 1
    return (f"{path} has {number} layers with geometries; reading {find_layer(path)}",) if number > 1 else ()


def read_batches(path: Path, schema: pa.Schema, *, where: str | None = None) -> Iterator[pa.RecordBatch]:
    """Read the default layer of a file in Arrow batches.

    Args:
        path: A vector file.
        schema: The fields to read, including geometry and bounds (see :mod:`geoseg.vector.io.arrow`).
        where: An SQL condition that selects rows; ignored for GeoParquet.
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
    """Convert errors raised by the libraries that read files into a :class:`LayerError`."""
    try:
        yield
    except (DataSourceError, DataLayerError, CRSError, ShapelyError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise LayerError(f"{name} cannot be read as polygons: {reason}", "use a GeoPackage, GeoJSON, ...") from error


def _parse_crs(crs: str | None) -> CRS | None:
    return CRS.from_user_input(crs) if crs else None
