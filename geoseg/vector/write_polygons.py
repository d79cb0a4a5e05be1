"""Trace or read, generalize and write polygons, after the checks of :func:`geoseg.vector.polygonize.polygonize`."""

from pathlib import Path

import shapely

from geoseg.raster.read_confidence import ConfidenceRaster
from geoseg.vector.io.output_spec import OutputSpec
from geoseg.vector.layer import PolygonLayer
from geoseg.vector.mask_source import MaskClasses, MaskSource
from geoseg.vector.options import PolygonizeOptions
from geoseg.vector.polygonize_pipeline import (
    generalize_raster,
    record_raster_values,
    record_values,
    select_classes,
    trace_outlines,
)
from geoseg.vector.polygonize_result import Polygons


def polygonize_mask(
    source: MaskSource, confidence: ConfidenceRaster | None, options: PolygonizeOptions, output: OutputSpec
) -> Polygons:
    """Trace the polygons of an open mask and write them.

    Args:
        source: The mask.
        confidence: Probabilities on its grid; None for none.
        options: How polygons are generalized.
        output: Where they are written.
    """
    grid, legend = source.scene.grid, source.scene.legend
    values: set[int] = set()
    raster = source.raster()
    if legend is None and options.merges_regions:  # a class that loses all its polygons can be named nevertheless
        raster = record_raster_values(raster, values)
    raster = generalize_raster(raster, grid, options)
    outlines = record_values(trace_outlines(raster, grid, options, confidence), values)
    if options.needs_full_layer:
        frame = source.attributes(crs=None, is_multi=options.is_multi).stream(outlines).to_frame()
        classes = MaskClasses(frozenset(values), legend)
        layer = PolygonLayer(frame, classes.legend, (*source.notes, *classes.notes))
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
    return Polygons(output.path, rows.crs, summary, (*source.notes, *classes.notes, *output.notes))


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
    """Return the length below which sides are removed, in meters: at least 1.5 pixels, or 1 m if there are no pixels."""
    return max(options.simplify_m, 1.0 if gsd is None else 1.5 * gsd)
