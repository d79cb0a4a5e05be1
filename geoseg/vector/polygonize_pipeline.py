"""Trace, generalize and write polygons, after the checks in :func:`geoseg.vector.polygonize.polygonize`.

Each step from the mask to the polygon outlines is an iterator over portions, so memory use is bounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely

from geoseg._concurrency import ordered_map
from geoseg.grid.grid import Grid
from geoseg.legend import Legend
from geoseg.raster.read_confidence import ConfidenceRaster
from geoseg.vector.attributes import name_class
from geoseg.vector.generalize.fill_holes import fill_raster_holes
from geoseg.vector.generalize.sieve import describe_removed, sieve_raster
from geoseg.vector.generalize.simplify import simplify_outlines
from geoseg.vector.generalize.simplify_arcs import BoundaryOptions
from geoseg.vector.io.output_spec import OutputSpec
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.mask_source import MaskClasses, MaskSource
from geoseg.vector.measure import PixelSize
from geoseg.vector.options import PolygonizeOptions
from geoseg.vector.polygonize_result import Polygons
from geoseg.vector.tracing.outline_arrays import Outlines
from geoseg.vector.tracing.raster_strips import ClassArray, ClassRaster, WeightArray
from geoseg.vector.tracing.trace_raster import trace_raster
from geoseg.vector.tracing.vertex_spatial_index import VertexCollector, VertexIndex

PORTION_CORNERS = 200_000
"""Approximate number of corners that are simplified together."""


def generalize_raster(
    raster: ClassRaster, grid: Grid, options: PolygonizeOptions
) -> tuple[ClassRaster, tuple[str, ...]]:
    """Fill small holes of a class raster, and merge small regions into their neighbors; also return notes for users."""
    connectivity, removed = options.connectivity, 0
    if options.fill_holes_m2 > 0:
        raster = fill_raster_holes(raster, PixelSize.from_grid(grid), options.fill_holes_m2, connectivity=connectivity)
    if options.min_area_m2 > 0:
        size = PixelSize.from_grid(grid)
        raster, removed = sieve_raster(raster, size, options.min_area_m2, connectivity=connectivity)
    return raster, describe_removed(removed, options.min_area_m2)


def trace_outlines(
    raster: ClassRaster, grid: Grid, options: PolygonizeOptions, confidence: ConfidenceRaster | None
) -> Iterator[Outlines]:
    """Trace the regions of a class raster, and simplify and smooth their borders.

    Args:
        raster: The classes.
        grid: The grid of the raster.
        options: Options, of which this step uses ``connectivity``, ``simplify_m`` and ``smooth``.
        confidence: Probabilities on the same grid to average over each polygon; may be None.

    Returns:
        An iterator over portions of the outlines, which are yielded as soon as they are complete.
    """
    vertices = VertexCollector() if options.reshapes_borders else None
    outlines = trace_raster(
        _add_weights(raster.strips(), confidence),
        width=raster.width,
        background=raster.background,
        connectivity=options.connectivity,
        vertices=vertices,
    )
    return outlines if vertices is None else _reshape(outlines, vertices, grid, options)


def record_raster_values(raster: ClassRaster, values: set[int]) -> ClassRaster:
    """Return a raster that adds the class values in its strips to ``values`` as the strips are read."""

    def read() -> Iterator[ClassArray]:
        for strip in raster.strips():
            values.update(set(np.unique(strip).tolist()) - {raster.background})
            yield strip

    return replace(raster, strips=read)


def record_values(outlines: Iterable[Outlines], values: set[int]) -> Iterator[Outlines]:
    """Yield the outlines unchanged, and add their class values to ``values``."""
    for portion in outlines:
        values.update(np.unique(portion.values).tolist())
        yield portion


def select_classes(
    outlines: Iterable[Outlines], classes: Sequence[str] | None, legend: Legend | None
) -> Iterator[Outlines]:
    """Yield the outlines of the selected classes.

    Args:
        outlines: Portions of outlines.
        classes: Class names; None to select all.
        legend: Names of the class values; a value that is not in the legend is named by its number.
    """
    for portion in outlines:
        if classes is None:
            yield portion
        else:
            names = [name_class(value, legend) for value in portion.values.tolist()]
            yield portion.take(np.flatnonzero(np.isin(names, list(classes))))


def _add_weights(
    strips: Iterable[ClassArray], confidence: ConfidenceRaster | None
) -> Iterator[tuple[ClassArray, WeightArray | None]]:
    row = 0
    for classes in strips:
        yield classes, None if confidence is None else confidence.read_probabilities(classes, row)
        row += len(classes)


def _reshape(
    outlines: Iterable[Outlines], vertices: VertexCollector, grid: Grid, options: PolygonizeOptions
) -> Iterator[Outlines]:
    size = PixelSize.from_grid(grid)
    boundary = BoundaryOptions(options.simplify_m, options.smooth, size.width_m, size.height_m)

    def simplify(item: tuple[Outlines, VertexIndex]) -> Outlines:
        portion, index = item
        return simplify_outlines(_fix_image_corners(portion, grid), index, boundary)

    return ordered_map(simplify, _split(outlines, vertices))


def _split(outlines: Iterable[Outlines], vertices: VertexCollector) -> Iterator[tuple[Outlines, VertexIndex]]:
    """Split outlines into smaller portions, and yield each with all nearby vertices."""
    for portion in outlines:
        index = vertices.build_index()
        for part in portion.split(PORTION_CORNERS):
            yield part, index


def _fix_image_corners(outlines: Outlines, grid: Grid) -> Outlines:
    """Mark the corners of the image as nodes so that they do not move."""
    row, col = outlines.corners.T
    fixed = ((row == 0) | (row == grid.height)) & ((col == 0) | (col == grid.width))
    return replace(outlines, is_node=outlines.is_node | fixed)


def polygonize_mask(
    source: MaskSource, confidence: ConfidenceRaster | None, options: PolygonizeOptions, output: OutputSpec
) -> Polygons:
    """Trace the polygons of an open mask and write them.

    Args:
        source: The mask.
        confidence: Probabilities on the grid of the mask; may be None.
        options: Options for generalization.
        output: Destination of the polygons.
    """
    grid, legend = source.scene.grid, source.scene.legend
    values: set[int] = set()
    raster = source.raster()
    if legend is None and options.merges_regions:  # so that a class that loses all its polygons can still be named
        raster = record_raster_values(raster, values)
    raster, removed = generalize_raster(raster, grid, options)
    outlines = record_values(trace_outlines(raster, grid, options, confidence), values)
    if options.needs_full_layer:
        frame = source.attributes(crs=None, is_multi=options.is_multi).stream(outlines).to_frame()
        classes = MaskClasses(frozenset(values), legend)
        layer = PolygonLayer(frame, classes.legend, (*source.notes, *classes.notes, *removed))
        layer = layer.orthogonalize(
            options.orthogonalize, _orthogonal_tolerance(options, grid.gsd), within=shapely.Polygon(grid.corners)
        )
        return _write_layer(layer, options, output)
    crs = output.resolve_crs(grid.crs)
    rows = source.attributes(crs=crs, is_multi=options.is_multi).stream(
        select_classes(outlines, options.classes, legend)
    )
    with output.open() as writer:
        summary = writer.write(rows)
        classes = MaskClasses(frozenset(values), legend)
        classes.require(options.classes or ())
        writer.write_style(classes.legend)
    return Polygons(output.path, rows.crs, summary, (*source.notes, *classes.notes, *removed, *output.notes))


def polygonize_layer(path: Path, options: PolygonizeOptions, output: OutputSpec) -> Polygons:
    """Generalize the polygons of a vector file and write them; see :func:`~geoseg.vector.polygonize.polygonize`."""
    layer = PolygonLayer.read(path)
    output.check(layer.crs)
    layer = layer.fill_holes(options.fill_holes_m2).sieve(options.min_area_m2)
    layer = layer.simplify(options.simplify_m, smooth=options.smooth)
    layer = layer.orthogonalize(options.orthogonalize, _orthogonal_tolerance(options, None))
    return _write_layer(layer, options, output)


def _write_layer(layer: PolygonLayer, options: PolygonizeOptions, output: OutputSpec) -> Polygons:
    layer = layer if options.classes is None else layer.select_classes(options.classes)
    layer = layer.dissolve() if options.dissolve else layer
    rows = layer.to_stream(output.resolve_crs(layer.crs))
    return Polygons(output.path, rows.crs, output.write(rows, layer.legend), (*layer.notes, *output.notes))


def _orthogonal_tolerance(options: PolygonizeOptions, gsd: float | None) -> float:
    """Return the length in meters below which sides are removed: at least 1.5 pixels, or 1 m if there are no pixels."""
    return max(options.simplify_m, 1.0 if gsd is None else 1.5 * gsd)
