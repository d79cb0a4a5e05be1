"""Read the metadata of vector files: layers, CRS, bounds, columns, and polygon counts per class.

Rows are read in batches of bounded size.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyogrio
from pyproj import CRS
from pyproj.exceptions import CRSError

from geoseg.errors import LayerError
from geoseg.grid.grid import Bounds
from geoseg.vector.io.arrow import BATCH_ROWS
from geoseg.vector.io.count_attribute_values import count_attribute_values
from geoseg.vector.io.geoparquet import is_parquet
from geoseg.vector.io.parquet_layer import ParquetLayer
from geoseg.vector.io.reader import layer_errors, list_layers
from geoseg.vector.io.require_file import require_file

CLASS_COLUMNS = ["class_index", "class_name", "area_m2"]
"""Columns in layers written by geoseg that describe the class of a polygon."""

REQUIRED_COLUMNS = {"class_index", "class_name"}
"""Columns that are required to count polygons by class."""

MAX_CLASSES = 65_536
"""Maximum number of distinct values in a column that is interpreted as classes."""


@dataclass(frozen=True)
class ClassCount:
    """The number and total area of the polygons in one class."""

    index: int
    """Class index."""
    name: str
    """Name of the class."""
    polygons: int
    """Number of polygons."""
    area_m2: float | None
    """Total area in square meters; None if the file does not contain areas."""


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
    """GDAL's name for the geometry type."""
    crs: CRS | None
    """CRS of the coordinates; None if unknown."""
    bounds: Bounds | None
    """Bounds of all features in CRS units; None if there are no coordinates."""
    columns: tuple[str, ...]
    """Names of the attributes."""
    classes: tuple[ClassCount, ...]
    """Polygons per class in order of class index; empty if the file has no class columns."""
    values: Mapping[str, Mapping[str, int]]
    """For each column with few distinct values, the number of features with each value."""


def read_layer_metadata(path: str | Path) -> LayerMetadata:
    """Read the metadata of a vector file; raise :class:`LayerError` if it does not exist or is not a vector file."""
    name = require_file(path)
    with layer_errors(name):
        return _read_parquet(name) if is_parquet(name) else _read_with_gdal(name)


def _read_with_gdal(name: str) -> LayerMetadata:
    layers = list_layers(name)
    if not layers:
        raise LayerError(f"{name} has no layer with geometries", "use a file that contains polygons")
    info = pyogrio.read_info(name, layer=layers[0], force_feature_count=True, force_total_bounds=True)
    columns = tuple(str(column) for column in info["fields"])
    return LayerMetadata(
        layer=layers[0],
        layers=len(layers),
        features=int(info["features"]),
        geometry=str(info["geometry_type"]),
        crs=_parse_crs(info["crs"]),
        bounds=None if info["total_bounds"] is None or not info["features"] else _bounds(info["total_bounds"]),
        columns=columns,
        classes=_count_classes(_read_class_columns(name, layers[0], columns)),
        values=count_attribute_values(name, layers[0], _other_columns(columns)),
    )


def _read_class_columns(name: str, layer: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the class columns in batches; yield nothing if there are none."""
    known = [column for column in CLASS_COLUMNS if column in columns]
    if not set(known) >= REQUIRED_COLUMNS:
        return
    options = {"layer": layer, "columns": known, "read_geometry": False, "batch_size": BATCH_ROWS, "use_pyarrow": True}
    with pyogrio.raw.open_arrow(name, **options) as (_, reader):
        for batch in reader:
            yield batch.select(known)  # without the feature id


def _read_parquet(name: str) -> LayerMetadata:
    file = ParquetLayer.open(name)
    known = [column for column in CLASS_COLUMNS if column in file.columns]
    classes = file.read_columns(known) if set(known) >= REQUIRED_COLUMNS else iter(())
    bounds = file.bounds if file.rows else None
    return LayerMetadata(
        layer=Path(name).stem,
        layers=1,
        features=file.rows,
        geometry=" and ".join(file.geometry_types) or "none",
        crs=file.crs,
        bounds=None if bounds is None else _bounds(bounds),
        columns=file.columns,
        classes=_count_classes(classes),
        values=count_attribute_values(name, None, _other_columns(file.columns)),
    )


def _other_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns that do not describe classes."""
    has_classes = set(columns) >= REQUIRED_COLUMNS
    return [column for column in columns if not (has_classes and column in CLASS_COLUMNS)]


def _count_classes(batches: Iterable[pa.RecordBatch]) -> tuple[ClassCount, ...]:
    """Sum the polygons and areas per class; return an empty tuple if there are more than :data:`MAX_CLASSES`."""
    counts: Counter[tuple[Any, Any]] = Counter()
    areas_m2: dict[tuple[Any, Any], float] = {}
    for batch in batches:
        for row in _sum_by_class(batch).to_pylist():
            key = row["class_index"], row["class_name"]
            if None in key:
                continue
            counts[key] += row["count_all"]
            if row["area_m2_sum"] is not None:
                areas_m2[key] = areas_m2.get(key, 0.0) + row["area_m2_sum"]
        if len(counts) > MAX_CLASSES:
            return ()
    return tuple(ClassCount(int(key[0]), str(key[1]), counts[key], areas_m2.get(key)) for key in sorted(counts))


def _sum_by_class(batch: pa.RecordBatch) -> pa.Table:
    """Return the number of rows and the sum of known areas per class; the sum is null if there is no area column."""
    columns = {name: batch.column(name) for name in sorted(REQUIRED_COLUMNS)}
    areas = batch.column("area_m2") if "area_m2" in batch.schema.names else pa.nulls(len(batch))
    areas = areas.cast(pa.float64())
    columns["area_m2"] = pc.if_else(pc.is_finite(areas), areas, pa.scalar(None, pa.float64()))
    return pa.table(columns).group_by(sorted(REQUIRED_COLUMNS)).aggregate([([], "count_all"), ("area_m2", "sum")])


def _parse_crs(text: str | None) -> CRS | None:
    try:
        return CRS.from_user_input(text) if text else None
    except CRSError:
        return None


def _bounds(values: Any) -> Bounds | None:
    """Return finite bounds; None if there are no coordinates."""
    left, bottom, right, top = (float(value) for value in values)
    return (left, bottom, right, top) if math.isfinite(left + bottom + right + top) else None
