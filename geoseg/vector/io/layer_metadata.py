"""Metadata of vector files: layers, CRS, bounds, columns, and polygons per class, read without the geometries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import LayerError
from geoseg.grid.grid import Bounds
from geoseg.vector.io.count_values import count_values
from geoseg.vector.io.geoparquet import is_parquet
from geoseg.vector.io.reader import layer_errors, list_layers
from geoseg.vector.io.require_file import require_file

CLASS_COLUMNS = ["class_index", "class_name", "area_m2"]
"""Columns of geoseg's layers that describe the class of a polygon."""


@dataclass(frozen=True)
class ClassCount:
    """The number and area of the polygons of one class."""

    index: int
    """Class index."""
    name: str
    """Name of the class."""
    polygons: int
    """Number of polygons."""
    area_m2: float | None
    """Total area in square meters; None if the file does not hold areas."""


@dataclass(frozen=True)
class LayerMetadata:
    """Metadata of the first layer of a vector file."""

    layer: str
    """Name of the first layer that has geometries."""
    layers: int
    """Number of layers with geometries."""
    features: int
    """Number of features."""
    geometry: str
    """Geometry type, as GDAL names it."""
    crs: CRS | None
    """CRS of the coordinates; None if unknown."""
    bounds: Bounds | None
    """Bounds of all features in CRS units; None if there are none."""
    columns: tuple[str, ...]
    """Names of the attributes."""
    classes: tuple[ClassCount, ...]
    """Polygons per class in order of class index; empty if the file has no class columns."""
    values: Mapping[str, Mapping[str, int]]
    """Number of features by value, of each column with few different values."""


def read_layer_metadata(path: str | Path) -> LayerMetadata:
    """Read the metadata of a vector file; :class:`LayerError` if it does not exist or is not a vector file."""
    name = require_file(path)
    with layer_errors(name):
        return _read_parquet(name) if is_parquet(name) else _read_with_gdal(name)


def _read_with_gdal(name: str) -> LayerMetadata:
    layers = list_layers(name)
    if not layers:
        raise LayerError(f"{name} has no layer with geometries", "give a file with polygons")
    info = pyogrio.read_info(name, layer=layers[0], force_feature_count=True, force_total_bounds=True)
    columns = tuple(str(column) for column in info["fields"])
    known = [column for column in CLASS_COLUMNS if column in columns]
    attributes = pd.DataFrame()
    if known:
        attributes = pyogrio.read_dataframe(name, layer=layers[0], columns=known, read_geometry=False)
    return LayerMetadata(
        layer=layers[0],
        layers=len(layers),
        features=int(info["features"]),
        geometry=str(info["geometry_type"]),
        crs=_parse_crs(info["crs"]),
        bounds=None if info["total_bounds"] is None or not info["features"] else _bounds(info["total_bounds"]),
        columns=columns,
        classes=_count_classes(attributes),
        values=count_values(name, layers[0], _other_columns(columns)),
    )


def _read_parquet(name: str) -> LayerMetadata:
    frame = gpd.read_parquet(name)
    attributes = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    return LayerMetadata(
        layer=Path(name).stem,
        layers=1,
        features=len(frame),
        geometry=" and ".join(sorted(frame.geom_type.dropna().unique())) or "none",
        crs=frame.crs,
        bounds=_bounds(frame.total_bounds) if len(frame) else None,
        columns=tuple(map(str, attributes.columns)),
        classes=_count_classes(attributes),
        values=count_values(name, None, _other_columns(tuple(map(str, attributes.columns)))),
    )


def _other_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns that are not listed by class."""
    has_classes = set(CLASS_COLUMNS[:2]) <= set(columns)
    return [column for column in columns if not (has_classes and column in CLASS_COLUMNS)]


def _count_classes(attributes: pd.DataFrame) -> tuple[ClassCount, ...]:
    """Sum up polygons and areas per class; return nothing without class columns."""
    if not {"class_index", "class_name"} <= set(attributes.columns):
        return ()
    groups = (rows for _, rows in attributes.groupby(["class_index", "class_name"], sort=True))
    return tuple(
        ClassCount(
            index=int(rows["class_index"].iloc[0]),
            name=str(rows["class_name"].iloc[0]),
            polygons=len(rows),
            area_m2=_sum_areas(rows["area_m2"]) if "area_m2" in rows else None,
        )
        for rows in groups
    )


def _sum_areas(areas_m2: "pd.Series[float]") -> float | None:
    """Sum areas; None if all are null."""
    return float(areas_m2.sum()) if areas_m2.notna().any() else None


def _parse_crs(text: str | None) -> CRS | None:
    try:
        return CRS.from_user_input(text) if text else None
    except CRSError:
        return None


def _bounds(values: Any) -> Bounds:
    left, bottom, right, top = (float(value) for value in values)
    return left, bottom, right, top
