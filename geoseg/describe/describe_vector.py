"""What a vector file is: polygons with their place, columns and, if geoseg made them, classes."""

from geoseg.describe.summary import ClassRow, Summary, fact
from geoseg.grid.grid import crs_name
from geoseg.vector.io.layer_metadata import ClassCount, LayerDescription
from geoseg.vector.io.layer_metadata import describe_layer as read_description


def describe_layer(path: str) -> Summary:
    """What a vector file holds, and how many polygons and square metres of each class."""
    layer = read_description(path)
    bounds = None if layer.bounds is None else list(layer.bounds)
    facts = (
        fact("layer", layer.layer, layer.layer if layer.layers == 1 else f"{layer.layer}, the first of {layer.layers}"),
        fact("features", layer.features, f"{layer.features:,} ({layer.geometry})"),
        fact("CRS", None if layer.crs is None else crs_name(layer.crs), _crs_text(layer)),
        fact("bounds", bounds, _bounds_text(layer)),
        fact("columns", list(layer.columns), ", ".join(layer.columns) or "none"),
    )
    return Summary("polygons", path, facts, _class_rows(layer.classes), "polygons")


def _crs_text(layer: LayerDescription) -> str:
    if layer.crs is None:
        return "none"
    name = crs_name(layer.crs)
    return name if name == layer.crs.name else f"{name} ({layer.crs.name})"


def _bounds_text(layer: LayerDescription) -> str:
    if layer.bounds is None:
        return "none: there are no features"
    return ", ".join(f"{value:.10g}" for value in layer.bounds) + " (left, bottom, right, top)"


def _class_rows(classes: tuple[ClassCount, ...]) -> tuple[ClassRow, ...]:
    """Classes with their share of all area."""
    total_m2 = sum(row.area_m2 or 0 for row in classes)
    return tuple(
        ClassRow(
            index=row.index,
            name=row.name,
            colour=None,
            count=row.polygons,
            share=row.area_m2 / total_m2 if row.area_m2 is not None and total_m2 else None,
            area_m2=row.area_m2,
        )
        for row in classes
    )
