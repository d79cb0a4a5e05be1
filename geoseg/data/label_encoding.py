"""How label files write classes: as numbers, as colours, or as polygons with an attribute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from geoseg._files import VECTOR_SUFFIXES
from geoseg.errors import ConfigError
from geoseg.legend import IGNORE_INDEX, Colour, Legend, parse_colour

Kind = Literal["index", "colour", "polygon"]


@dataclass(frozen=True)
class Encoding:
    """From what stands in a label file to class indices; 255 stands for "not labelled"."""

    kind: Kind
    """Numbers in a raster, colours in a raster, or polygons."""
    values: Mapping[Any, int] = field(default_factory=dict)
    """Class index of each pixel value (``index``) or attribute value (``polygon``)."""
    colours: Mapping[Colour, int] = field(default_factory=dict)
    """Class index of each colour (``colour``)."""
    column: str | None = None
    """Attribute that names the class (``polygon``); None: every polygon is of ``polygon_class``."""
    polygon_class: int = 0
    """Class index of polygons where no attribute names one."""
    background: int = IGNORE_INDEX
    """Class index where there is no polygon."""


def encoding(
    legend: Legend,
    kind: Kind,
    *,
    values: Mapping[str, Sequence[Any]] | None = None,
    ignore: Sequence[Any] = (),
    column: str | None = None,
    polygon_class: str | None = None,
    background: str | None = None,
) -> Encoding:
    """The encoding a recipe describes.

    ``values`` lists for each class name what stands for it in a label file: numbers, colours or attribute values. A
    class that is not listed is written as its class index, its colour or its name. ``ignore`` lists what means "not
    labelled". Polygons take their class from the attribute ``column``, or are all of ``polygon_class`` (the legend's
    last if not given); pixels outside them are of the class ``background``, or not labelled. :class:`ConfigError` if
    one value stands for two things.
    """
    stray = set(values or {}) - set(legend.names)
    if stray:
        raise ConfigError(
            f"data.values names {sorted(stray)[0]!r}, which is not in the legend", "use the legend's names"
        )
    meanings = []
    for entry in legend.entries:
        own = {"index": entry.index, "colour": entry.colour, "polygon": entry.name}[kind]
        meanings += [(value, entry.index) for value in (values or {}).get(entry.name, [own])]
    table = _table(kind, [*meanings, *((value, IGNORE_INDEX) for value in ignore)])
    if kind == "colour":
        return Encoding(kind, colours=table)
    if kind == "index":
        table.setdefault(IGNORE_INDEX, IGNORE_INDEX)
    outside = legend.index_of(background) if background is not None else IGNORE_INDEX
    drawn = legend.index_of(polygon_class) if polygon_class is not None else len(legend) - 1
    return Encoding(kind, values=table, column=column, polygon_class=drawn, background=outside)


def _table(kind: Kind, meanings: Sequence[tuple[Any, int]]) -> dict[Any, int]:
    """Class index of each value, read as the kind of label file wants it."""
    table: dict[Any, int] = {}
    for written, index in meanings:
        value = {"index": _whole, "colour": parse_colour, "polygon": _attribute}[kind](written)
        if table.setdefault(value, index) != index:
            hint = "data.values says what stands for each class, data.ignore what is not labelled"
            raise ConfigError(f"in label files {written!r} stands for two classes, or for one and for nothing", hint)
    return table


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return value
    raise ConfigError(f"{value!r} is no whole number", "for labels in colours say data.encoding_kind: colour")


def _attribute(value: Any) -> Any:
    return value


def kind_of(label: Path, bands: int, *, has_palette: bool) -> Kind:
    """The kind a label file most likely has: polygons by suffix, colours if it has some, numbers otherwise."""
    if label.suffix.lower() in VECTOR_SUFFIXES:
        return "polygon"
    return "colour" if bands >= 3 or has_palette else "index"
