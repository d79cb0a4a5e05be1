"""Encoding of classes in label files: as pixel values, as colors, or as polygons with an attribute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from geoseg._output_files import VECTOR_SUFFIXES
from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX, Colour, Legend, parse_colour

EncodingKind = Literal["index", "colour", "polygon"]


@dataclass(frozen=True)
class LabelEncoding:
    """Mapping from the content of a label file to class indices; the index 255 means "not labeled"."""

    kind: EncodingKind
    """Type of label file: raster values, raster colors, or polygons."""
    values: Mapping[Any, int] = field(default_factory=dict)
    """Class index of each pixel value (``index``) or attribute value (``polygon``)."""
    colours: Mapping[Colour, int] = field(default_factory=dict)
    """Class index of each color (``colour``)."""
    column: str | None = None
    """Attribute that contains the class of a polygon; if None, all polygons belong to ``polygon_class``."""
    polygon_class: int = 0
    """Class index of polygons if there is no ``column``."""
    background: int = IGNORE_INDEX
    """Class index of pixels outside all polygons."""
    priority: tuple[int, ...] = ()
    """Class indices in stacking order, topmost first, for overlapping polygons; others lie below these, in layer order."""
    layer: str | None = None
    """Name of the layer to read from vector files with several layers."""
    assumes_255: bool = False
    """True if the pixel value 255 means "not labeled" by convention, and not because it is declared."""


def build_encoding(
    legend: Legend,
    kind: EncodingKind,
    *,
    values: Mapping[str, Sequence[Any]] | None = None,
    ignore: Sequence[Any] = (),
    column: str | None = None,
    polygon_class: str | None = None,
    background: str | None = None,
    priority: Sequence[str] = (),
    layer: str | None = None,
) -> LabelEncoding:
    """Build the encoding described by a recipe.

    Args:
        legend: Classes in the order of their indices.
        kind: Type of label file: raster values, raster colors, or polygons.
        values: Pixel values, colors or attribute values that represent individual classes, keyed by class name. Other
            classes are represented by their class index, color or name.
        ignore: Values, colors or attribute values that mean "not labeled"; None is a missing attribute value.
        column: Attribute that contains the class of a polygon.
        polygon_class: Name of the class of all polygons if there is no ``column``; by default, the last class in the legend.
        background: Name of the class of pixels outside all polygons; by default, they are not labeled.
        priority: Names of classes in stacking order, topmost first, for overlapping polygons. Polygons of other classes
            lie below these, in layer order.
        layer: Name of the layer to read from vector files with several layers.

    Raises:
        ConfigError: If a name is not in the legend, a value has two meanings, or ``priority`` is given without ``column``.

    Example:
        >>> encoding = build_encoding(Legend.of(["water", "forest"]), "index", values={"forest": [3, 4]}, ignore=[9])
    """
    unknown = sorted(set(values or {}) - set(legend.names))
    if unknown:
        raise ConfigError(
            f"data.values names {unknown[0]!r}, which is not in the legend", "use the names in the legend"
        )
    meanings = []
    for entry in legend.entries:
        default = {"index": entry.index, "colour": entry.colour, "polygon": entry.name}[kind]
        meanings += [(value, entry.index) for value in (values or {}).get(entry.name, [default])]
    table = _build_table(kind, [*meanings, *((value, IGNORE_INDEX) for value in ignore)])
    if kind == "colour":
        return LabelEncoding(kind, colours=table)
    assumes_255 = kind == "index" and IGNORE_INDEX not in table
    if assumes_255:
        table[IGNORE_INDEX] = IGNORE_INDEX
    outside = legend.index_of(background) if background is not None else IGNORE_INDEX
    inside = legend.index_of(polygon_class) if polygon_class is not None else len(legend) - 1
    return LabelEncoding(
        kind,
        values=table,
        column=column,
        polygon_class=inside,
        background=outside,
        priority=_parse_priority(priority, legend, column),
        layer=layer,
        assumes_255=assumes_255,
    )


def _parse_priority(names: Sequence[str], legend: Legend, column: str | None) -> tuple[int, ...]:
    if names and column is None:
        raise ConfigError("priority requires column, but no column is given", "specify column")
    if len(set(names)) < len(names):
        raise ConfigError(f"priority names a class twice: {', '.join(names)}", "list each class once, topmost first")
    return tuple(legend.index_of(name) for name in names)


def _build_table(kind: EncodingKind, meanings: Sequence[tuple[Any, int]]) -> dict[Any, int]:
    """Return the class index of each value, with values parsed as required for the type of label file."""
    table: dict[Any, int] = {}
    for value, index in meanings:
        key = {"index": _parse_integer, "colour": parse_colour, "polygon": _keep}[kind](value)
        if table.setdefault(key, index) != index:
            hint = "list each value once: under its class in data.values, or in data.ignore"
            raise ConfigError(
                f"{value!r} in label files has two meanings (two classes, or a class and unlabeled pixels)", hint
            )
    return table


def _parse_integer(value: Any) -> int:
    if isinstance(value, int):
        return value
    raise ConfigError(f"the label value {value!r} is not an integer", "for colors, set data.encoding_kind: colour")


def _keep(value: Any) -> Any:
    return value


def guess_kind(label: Path, bands: int, *, has_palette: bool) -> EncodingKind:
    """Infer the type of a label file: polygons by its extension, colors by its bands or palette, otherwise values."""
    if label.suffix.lower() in VECTOR_SUFFIXES:
        return "polygon"
    return "colour" if bands >= 3 or has_palette else "index"
