"""Trace the outlines of all regions in a class raster, strip by strip."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal

from geoseg._concurrency import ordered_map
from geoseg.vector.tracing.assemble_polygons import PolygonAssembler
from geoseg.vector.tracing.outline_arrays import Outlines, concatenate_outlines
from geoseg.vector.tracing.raster_strips import ClassArray, WeightArray, pad_strips
from geoseg.vector.tracing.trace_strip import StripContours, trace_strip
from geoseg.vector.tracing.vertex_spatial_index import VertexCollector

Connectivity = Literal[4, 8]
"""4: pixels of the same class are connected if they share a side; 8: also if they share a corner."""

STRIP_PIXELS = 1_000_000
"""Approximate number of pixels per strip: enough to keep stitching cheap, but few enough to fit in the CPU caches."""

STRIPS_PER_ASSEMBLY = 8
"""Number of strips that are assembled together; every assembly copies the unfinished polygons."""


def trace_mask(
    mask: ClassArray,
    *,
    background: int,
    connectivity: Connectivity = 4,
    strip_rows: int | None = None,
    strips_per_assembly: int | None = None,
    weights: WeightArray | None = None,
    vertices: VertexCollector | None = None,
) -> Outlines:
    """Trace the outlines of all regions in an in-memory mask.

    The result is bit-identical for all values of ``strip_rows`` and ``strips_per_assembly``.

    Args:
        mask: Class indices (row, col).
        background: Value of pixels without a class, for which no polygons are traced.
        connectivity: Connectivity of the pixels in a polygon.
        strip_rows: Number of rows traced by one thread at a time; by default, enough for about :data:`STRIP_PIXELS`
            pixels per strip.
        strips_per_assembly: Number of strips assembled together; by default, :data:`STRIPS_PER_ASSEMBLY`.
        weights: Weights (row, col) to average over each polygon.
        vertices: Collector that receives all border vertices.
    """
    rows = strip_rows or max(STRIP_PIXELS // max(mask.shape[1], 1), 64)
    starts = range(0, mask.shape[0], rows)
    strips = ((mask[row : row + rows], None if weights is None else weights[row : row + rows]) for row in starts)
    portions = trace_raster(
        strips,
        width=mask.shape[1],
        background=background,
        connectivity=connectivity,
        strips_per_assembly=strips_per_assembly,
        vertices=vertices,
    )
    return concatenate_outlines(list(portions))


def trace_raster(
    strips: Iterable[tuple[ClassArray, WeightArray | None]],
    *,
    width: int,
    background: int,
    connectivity: Connectivity = 4,
    strips_per_assembly: int | None = None,
    vertices: VertexCollector | None = None,
) -> Iterator[Outlines]:
    """Trace the outlines of all regions in a mask that is read in strips.

    Polygons are yielded as soon as they are complete, so only the polygons that overlap the latest strips are kept in
    memory. While one strip is read, others are traced in as many threads as there are CPU cores.

    Args:
        strips: Full-width strips of class indices (row, col) with at least one row, and their weights, top to bottom.
        width: Number of columns.
        background: Value of pixels without a class, for which no polygons are traced.
        connectivity: Connectivity of the pixels in a polygon.
        strips_per_assembly: Number of strips assembled together; by default, :data:`STRIPS_PER_ASSEMBLY`.
        vertices: Collector that receives the border vertices; when a portion is yielded, the collector contains all
            vertices near the portion.

    Yields:
        Portions of the outlines; the last portion, which may be empty, is yielded after all strips have been read.
    """
    batch_size = strips_per_assembly or STRIPS_PER_ASSEMBLY
    assembler = PolygonAssembler(width)

    def assemble(batch: list[StripContours], *, is_last: bool = False) -> Outlines:
        if vertices is not None:
            for strip in batch:
                vertices.add(strip.vertices)
        return assembler.add(batch, is_last=is_last)

    trace = partial(
        trace_strip, background=background, find_diagonals=connectivity == 8, find_vertices=vertices is not None
    )
    batch: list[StripContours] = []
    for contours in ordered_map(trace, pad_strips(strips, width, background, close=True), ahead=batch_size):
        if len(batch) == batch_size:
            yield assemble(batch)
            batch = []
        batch.append(contours)
    yield assemble(batch, is_last=True)
