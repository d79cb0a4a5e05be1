"""What a vector file says of itself: features, CRS, columns, and classes if geoseg wrote it. Geometries are not read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import LayerError, did_you_mean
from geoseg.grid.grid import Bounds

CLASS_COLUMNS = ["class_index", "class_name", "area_m2"]
"""The columns by which geoseg says of what class a polygon is."""


@dataclass(frozen=True)
class ClassCount:
    """The polygons of one class."""

    index: int
    """Class index."""
    name: str
    """The class's name."""
    polygons: int
    """How many there are."""
    area_m2: float | None
    """Square metres of them all; None if the file does not know."""


@dataclass(frozen=True)
class LayerDescription:
    """A vector file without its geometries."""

    layer: str
    """Name of the first layer that has geometries."""
    layers: int
    """How many of these the file has."""
    features: int
    """Number of features."""
    geometry: str
    """Kind of geometry, as GDAL names it."""
    crs: CRS | None
    """CRS of the coordinates; None if unknown."""
    bounds: Bounds | None
    """Box around all features in CRS units; None if there are none."""
    columns: tuple[str, ...]
    """Names of the attributes."""
    classes: tuple[ClassCount, ...]
    """Polygons per class in order of class index; empty if the file has no columns that say so."""


def describe_layer(path: str | Path) -> LayerDescription:
    """What a vector file says of itself; :class:`LayerError` if it is missing, or no vector file."""
    name = os.fspath(path)
    if "://" not in name and not name.startswith("/vsi") and not Path(name).exists():
        neighbours = [file.name for file in Path(name).parent.glob("*")]
        hint = did_you_mean(Path(name).name, neighbours)
        raise LayerError(f"{name} does not exist", hint if hint.startswith("did") else "check the path")
    try:
        return _of_parquet(name) if Path(name).suffix.lower() == ".parquet" else _of_file(name)
    except (DataSourceError, DataLayerError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise LayerError(f"{name} cannot be read as polygons: {reason}", "give a GeoPackage, GeoJSON, ...") from error


def _of_file(name: str) -> LayerDescription:
    layers = [str(layer) for layer, geometry in pyogrio.list_layers(name) if geometry is not None]
    if not layers:
        raise LayerError(f"{name} has no layer with geometries", "give a file with polygons")
    info = pyogrio.read_info(name, layer=layers[0], force_feature_count=True, force_total_bounds=True)
    columns = tuple(str(column) for column in info["fields"])
    known = [column for column in CLASS_COLUMNS if column in columns]
    attributes = pd.DataFrame()
    if known:
        attributes = pyogrio.read_dataframe(name, layer=layers[0], columns=known, read_geometry=False)
    return LayerDescription(
        layer=layers[0],
        layers=len(layers),
        features=int(info["features"]),
        geometry=str(info["geometry_type"]),
        crs=_crs(info["crs"]),
        bounds=None if info["total_bounds"] is None or not info["features"] else _bounds(info["total_bounds"]),
        columns=columns,
        classes=_classes(attributes),
    )


def _of_parquet(name: str) -> LayerDescription:
    frame = gpd.read_parquet(name)
    attributes = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    return LayerDescription(
        layer=Path(name).stem,
        layers=1,
        features=len(frame),
        geometry=" and ".join(sorted(frame.geom_type.dropna().unique())) or "none",
        crs=frame.crs,
        bounds=_bounds(frame.total_bounds) if len(frame) else None,
        columns=tuple(map(str, attributes.columns)),
        classes=_classes(attributes),
    )


def _classes(attributes: pd.DataFrame) -> tuple[ClassCount, ...]:
    """Polygons and area per class, if the class columns are there."""
    if not {"class_index", "class_name"} <= set(attributes.columns):
        return ()
    groups = (rows for _, rows in attributes.groupby(["class_index", "class_name"], sort=True))
    return tuple(
        ClassCount(
            index=int(rows["class_index"].iloc[0]),
            name=str(rows["class_name"].iloc[0]),
            polygons=len(rows),
            area_m2=_total(rows["area_m2"]) if "area_m2" in rows else None,
        )
        for rows in groups
    )


def _total(areas_m2: "pd.Series[float]") -> float | None:
    """The sum of the areas; None if none is known."""
    return float(areas_m2.sum()) if areas_m2.notna().any() else None


def _crs(text: str | None) -> CRS | None:
    try:
        return CRS.from_user_input(text) if text else None
    except CRSError:
        return None


def _bounds(values: Any) -> Bounds:
    left, bottom, right, top = (float(value) for value in values)
    return left, bottom, right, top
