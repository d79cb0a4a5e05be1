"""Describe a vector file: extent, columns and, if the file was written by geoseg, classes."""

from collections.abc import Mapping

from geoseg.file_info.crs_facts import crs_facts
from geoseg.file_info.info import ClassRow, FileInfo, make_fact
from geoseg.grid.crs import crs_name, is_in_range
from geoseg.vector.io.layer_metadata import ClassCount, LayerMetadata, read_layer_metadata


def describe_layer(path: str) -> FileInfo:
    """Describe a vector file, including the number and area of the polygons in each class."""
    layer = read_layer_metadata(path)
    bounds = None if layer.bounds is None else list(layer.bounds)
    facts = (
        make_fact(
            "layer", layer.layer, layer.layer if layer.layers == 1 else f"{layer.layer}, the first of {layer.layers}"
        ),
        make_fact("features", layer.features, f"{layer.features:,} ({layer.geometry})"),
        *crs_facts(layer.crs),
        make_fact("bounds", bounds, _bounds_text(layer)),
        make_fact("columns", list(layer.columns), ", ".join(layer.columns) or "none"),
        *(
            make_fact(f"values of {column}", dict(counts), _counts_text(counts))
            for column, counts in layer.values.items()
        ),
    )
    return FileInfo("polygons", path, facts, _class_rows(layer.classes), "polygons", notes=_range_notes(layer))


def _counts_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value} ({count:,})" for value, count in counts.items())


def _bounds_text(layer: LayerMetadata) -> str:
    if layer.bounds is None:
        return "none: there are no features" if not layer.features else "none: the features have no coordinates"
    return ", ".join(f"{value:.10g}" for value in layer.bounds) + " (left, bottom, right, top)"


def _range_notes(layer: LayerMetadata) -> tuple[str, ...]:
    if layer.bounds is None or layer.crs is None or is_in_range(layer.bounds, layer.crs):
        return ()
    return (f"the coordinates are impossible in {crs_name(layer.crs)}: check the CRS",)


def _class_rows(classes: tuple[ClassCount, ...]) -> tuple[ClassRow, ...]:
    """Return the classes, each with its fraction of the total area."""
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
