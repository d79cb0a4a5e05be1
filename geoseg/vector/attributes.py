"""What is said of each polygon: its class, what it measures, how sure the model was, where it comes from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from pyproj import CRS, Transformer

from geoseg._concurrency import side_by_side
from geoseg.errors import LayerError
from geoseg.grid.grid import Grid, crs_name
from geoseg.legend import Legend
from geoseg.vector.geometry_arrays import Shapes
from geoseg.vector.io.arrow import BOX_FIELD, Stream, boxes, encoded, geometry_field
from geoseg.vector.measure import Ground, boxes_of
from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.outlines import Outlines

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
"""polygon_id: the number of the polygon's first pixel in its mask, row by row: the same however the mask is worked on.
area_m2, perimeter_m: on the ellipsoid, null without CRS. confidence: mean probability, null if unknown. source, model:
names of files."""

CORNERS = 500_000
"""About how many corners a batch holds."""


@dataclass(frozen=True)
class Attributes:
    """How the outlines of one mask become rows."""

    grid: Grid
    """The mask's grid."""
    legend: Legend | None
    """Names of classes; values it does not know are named by their number."""
    source: str | None = None
    """The scene or mask the polygons come from."""
    model: str | None = None
    """The model that made it."""
    crs: CRS | None = None
    """The CRS to write; None for the grid's own."""
    several: bool = False
    """Whether polygons may have several parts."""
    ground: Ground = field(init=False)
    """What the grid's coordinates mean on the ground."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ground", Ground.under(self.grid.crs, self.grid.bounds))

    def stream(self, outlines: Iterable[Outlines], legend: Callable[[], Legend | None] | None = None) -> Stream:
        """Rows for all outlines, made by several threads as they are asked for; ``legend`` if it is known only then."""
        crs = self.crs or self.grid.crs
        schema = pa.schema([*ATTRIBUTES, geometry_field(crs), BOX_FIELD])
        portions = (portion for each in outlines for portion in each.in_portions(CORNERS))
        rows = side_by_side(lambda portion: self._batch(portion, schema), portions)
        return Stream(schema, rows, crs, self.several, legend or (lambda: self.legend))

    def _batch(self, outlines: Outlines, schema: pa.Schema) -> pa.RecordBatch:
        shapes = Shapes.of_outlines(outlines, self.grid.transform)
        areas, lengths, bounds = self.ground.measure(shapes.points, shapes.rings, shapes.polygon_rings)
        if self.crs is not None and self.crs != self.grid.crs:
            shapes = self._moved(shapes)
            bounds = boxes_of(shapes.points, shapes.rings[shapes.polygon_rings])
        count = len(outlines)
        columns = [
            pa.array(outlines.ids),
            pa.array(outlines.values.astype(np.int32)),
            self._names(outlines.values),
            pa.array(areas, from_pandas=True),
            pa.array(lengths, from_pandas=True),
            pa.array(outlines.means, from_pandas=True),
            pa.array([self.source], pa.string()).take(pa.array(np.zeros(count, np.int8))),
            pa.array([self.model], pa.string()).take(pa.array(np.zeros(count, np.int8))),
            encoded(shapes.points, shapes.rings, shapes.parts, shapes.polygons, several=self.several),
            boxes(bounds),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _names(self, values: Integers) -> pa.Array:
        known, position = np.unique(values, return_inverse=True)
        return pa.array([class_name(int(value), self.legend) for value in known], pa.string()).take(pa.array(position))

    def _moved(self, shapes: Shapes) -> Shapes:
        """The shapes in the CRS to write."""
        move = Transformer.from_crs(self.grid.crs, self.crs, always_xy=True)
        points = np.stack(move.transform(*shapes.points.T), axis=1)
        if not np.isfinite(points).all():
            raise LayerError(
                f"some polygons lie where {crs_name(self.crs)} does not reach",
                "choose a CRS for this part of the world",
            )
        return replace(shapes, points=points)


def class_name(index: int, legend: Legend | None) -> str:
    """The name of a class; its number if the legend does not know it."""
    return legend.names[index] if legend is not None and 0 <= index < len(legend) else str(index)
