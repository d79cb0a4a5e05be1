"""Attributes of polygons: class, area, perimeter, confidence, source and model."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from pyproj import CRS

from geoseg._concurrency import ordered_map
from geoseg.grid.grid import Grid
from geoseg.grid.seam import crosses_seam
from geoseg.legend import Legend
from geoseg.vector.antimeridian import reproject_polygon_arrays
from geoseg.vector.io.arrow import BBOX_FIELD, PolygonStream, encode_bbox, encode_wkb, make_geometry_field
from geoseg.vector.measure import LocalMetric
from geoseg.vector.polygon_arrays import PolygonArrays
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.ragged_arrays import IntArray

ATTRIBUTES = [
    pa.field("polygon_id", pa.int64()),
    pa.field("class_index", pa.int32()),
    pa.field("class_name", pa.string()),
    pa.field("area_m2", pa.float64()),
    pa.field("perimeter_m", pa.float64()),
    pa.field("confidence", pa.float64()),
    pa.field("source", pa.string()),
    pa.field("model", pa.string()),
]
"""Columns of the layers that geoseg writes.

* ``polygon_id``: row-major index of the polygon's first pixel in the mask, regardless of strips and options.
* ``area_m2``, ``perimeter_m``: measured on the ellipsoid; null if there is no CRS.
* ``confidence``: mean probability of the pixels; null if unknown.
* ``source``, ``model``: file names of the scene and the model.
"""

BATCH_CORNERS = 500_000
"""Approximate number of corners per batch."""


@dataclass(frozen=True)
class Attributes:
    """Converter from the outlines of one mask to rows with attributes."""

    grid: Grid
    """Grid of the mask."""
    legend: Legend | None
    """Names of the classes; a value without a name is represented by its number."""
    source: str | None = None
    """File name of the scene or mask that the polygons were traced from."""
    model: str | None = None
    """File name of the model that predicted the mask."""
    crs: CRS | None = None
    """CRS of the rows; None to use the CRS of the grid."""
    is_multi: bool = False
    """True if polygons may have several parts."""

    @cached_property
    def metric(self) -> LocalMetric:
        """Metric for lengths and areas in the CRS of the grid."""
        return LocalMetric.for_bounds(self.grid.crs, self.grid.bounds)

    def stream(self, outlines: Iterable[Outlines]) -> PolygonStream:
        """Convert outlines to rows; several threads do this while the stream is read."""
        crs, metric = self.crs or self.grid.crs, self.metric
        is_cut = crs is not None and crs != self.grid.crs and crosses_seam(self.grid, crs)
        is_multi = self.is_multi or is_cut
        schema = pa.schema([*ATTRIBUTES, make_geometry_field(crs), BBOX_FIELD])
        portions = (part for portion in outlines for part in portion.split(BATCH_CORNERS))
        batches = ordered_map(
            lambda part: self._make_batch(part, schema, metric, is_multi=is_multi, is_cut=is_cut), portions
        )
        return PolygonStream(schema, batches, crs, is_multi)

    def _make_batch(
        self, outlines: Outlines, schema: pa.Schema, metric: LocalMetric, *, is_multi: bool, is_cut: bool
    ) -> pa.RecordBatch:
        polygons = PolygonArrays.from_outlines(outlines, self.grid.transform)
        measures, bounds = metric.measure(polygons), None
        if self.crs is not None and self.crs != self.grid.crs:
            assert self.grid.crs is not None
            polygons = reproject_polygon_arrays(polygons, self.grid.crs, self.crs, is_cut=is_cut)
            bounds = polygons.bounds()
        constant = pa.array(np.zeros(len(outlines), np.int8))
        columns = [
            pa.array(outlines.ids),
            pa.array(outlines.values.astype(np.int32)),
            self._name_classes(outlines.values),
            pa.array(measures.areas, from_pandas=True),
            pa.array(measures.perimeters, from_pandas=True),
            pa.array(outlines.mean_weights, from_pandas=True),
            pa.array([self.source], pa.string()).take(constant),
            pa.array([self.model], pa.string()).take(constant),
            encode_wkb(polygons, is_multi=is_multi),
            encode_bbox(measures.bounds if bounds is None else bounds),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _name_classes(self, values: IntArray) -> pa.Array:
        unique, position = np.unique(values, return_inverse=True)
        return pa.array([name_class(int(value), self.legend) for value in unique], pa.string()).take(pa.array(position))


def name_class(index: int, legend: Legend | None) -> str:
    """Return the name of a class, or its number if the class is not in the legend."""
    return legend.names[index] if legend is not None and 0 <= index < len(legend) else str(index)
