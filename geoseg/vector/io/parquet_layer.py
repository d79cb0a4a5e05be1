"""Inspect GeoParquet files without reading them in full: metadata, columns in batches, and memory needed for all rows.

A file of a few kilobytes can declare billions of rows, because repeated values take up no space.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from geoseg._memory import physical_memory
from geoseg.errors import LayerError
from geoseg.grid.grid import Bounds
from geoseg.vector.io.arrow import BATCH_ROWS, BBOX

BYTES_PER_VALUE = 16
"""Approximate minimum memory in bytes that a value takes in a GeoDataFrame."""

MEMORY_SHARE = 0.5
"""Maximum memory for the rows of a file, as a fraction of the machine's memory."""


@dataclass(frozen=True, eq=False)
class ParquetLayer:
    """An open GeoParquet file."""

    name: str
    """Path of the file."""
    file: pq.ParquetFile
    """The open file; only the footer has been read."""
    geometry: str
    """Name of the geometry column."""
    description: Mapping[str, Any]
    """Metadata of the geometry column, with the keys defined by the GeoParquet specification."""

    @classmethod
    def open(cls, name: str) -> Self:
        """Open a file; raise :class:`LayerError` if it is not GeoParquet, or ValueError if it is not even Parquet."""
        file = pq.ParquetFile(name)
        try:
            geo = json.loads(file.metadata.metadata[b"geo"])
            return cls(name, file, geo["primary_column"], geo["columns"][geo["primary_column"]])
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            raise LayerError(
                f"{name} is not GeoParquet: it has no valid geometry metadata", "write it again"
            ) from error

    @property
    def rows(self) -> int:
        """Number of rows."""
        rows: int = self.file.metadata.num_rows
        return rows

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the attributes."""
        return tuple(name for name in self.file.schema_arrow.names if name not in (self.geometry, BBOX))

    @property
    def crs(self) -> CRS | None:
        """CRS of the coordinates; None if the metadata declares that there is none."""
        crs = self.description.get("crs", "OGC:CRS84")
        return None if crs is None else CRS.from_user_input(crs if isinstance(crs, str) else json.dumps(crs))

    @property
    def geometry_types(self) -> list[str]:
        """Geometry types declared in the metadata."""
        return sorted(map(str, self.description.get("geometry_types", ())))

    @property
    def bounds(self) -> Bounds | None:
        """The declared bounds, or else those of all geometries, read in batches; None if there are no coordinates."""
        declared = self.description.get("bbox")
        if declared is not None:
            return _to_2d(declared)
        found = np.array([np.inf, np.inf, -np.inf, -np.inf])
        for rows in self.read_columns([self.geometry]):
            left, bottom, right, top = shapely.total_bounds(
                shapely.from_wkb(rows.column(self.geometry).to_numpy(zero_copy_only=False))
            )
            found = np.array([*np.fmin(found[:2], (left, bottom)), *np.fmax(found[2:], (right, top))])
        return _to_2d(found.tolist()) if np.isfinite(found).all() else None

    @property
    def bounds_fields(self) -> tuple[pc.Expression, ...] | None:
        """Columns with left, bottom, right and top of each row (``covering`` in GeoParquet 1.1); None without them."""
        try:
            paths = [self.description["covering"]["bbox"][side] for side in ("xmin", "ymin", "xmax", "ymax")]
            names = {".".join(path) for path in paths}
        except (LookupError, TypeError):
            return None
        schema = self.file.metadata.schema
        columns = [schema.column(k) for k in range(len(schema))]
        numbers = {each.path for each in columns if each.physical_type in {"FLOAT", "DOUBLE"}}
        return tuple(pc.field(*path) for path in paths) if names <= numbers else None

    def read_columns(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the given columns in batches of rows."""
        self.require_memory(names, rows=min(self.rows, BATCH_ROWS))
        yield from self.file.iter_batches(batch_size=BATCH_ROWS, columns=list(names))

    def require_memory(self, names: Sequence[str], *, rows: int) -> None:
        """Raise :class:`LayerError` if the given columns need too much memory, according to the declared sizes.

        Args:
            names: Names of the columns.
            rows: Number of rows in memory at once; if this is the number of all rows, the whole file is decoded.
        """
        needed = max(self._declared_bytes(names, whole=rows == self.rows), rows * len(names) * BYTES_PER_VALUE)
        available = MEMORY_SHARE * physical_memory()
        if needed > available:
            raise LayerError(
                f"{self.name} declares {self.rows:,} rows, which need {needed / 1e9:,.0f} GB of memory",
                "extract the part that you need first (ogr2ogr -spat)",
            )

    def _declared_bytes(self, names: Sequence[str], *, whole: bool) -> int:
        """Return the declared uncompressed size of columns in bytes, for the whole file or its largest row group."""
        metadata = self.file.metadata
        groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
        sizes = [
            sum(
                group.column(k).total_uncompressed_size
                for k in range(group.num_columns)
                if group.column(k).path_in_schema.split(".")[0] in names
            )
            for group in groups
        ]
        return sum(sizes) if whole else max(sizes, default=0)


def _to_2d(bounds: Sequence[float]) -> Bounds:
    """Return the left, bottom, right and top of two- or three-dimensional bounds."""
    half = len(bounds) // 2
    left, bottom, right, top = (float(value) for value in (*bounds[:2], *bounds[half : half + 2]))
    return left, bottom, right, top
