"""The description of a file: its properties, classes with their counts, and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geoseg._text import count


@dataclass(frozen=True)
class Fact:
    """One property of a file."""

    label: str
    """Name of the property."""
    value: Any
    """The value in JSON output: text, number, list, mapping or None."""
    text: str
    """The value as text with its unit; empty if the property appears only in JSON output."""


def make_fact(label: str, value: Any, text: str | None = None) -> Fact:
    """Create a :class:`Fact`; if ``text`` is None, lists are joined with commas, and None becomes ``unknown``."""
    return Fact(label, value, _to_text(value) if text is None else text)


@dataclass(frozen=True)
class ClassRow:
    """One class with its count, area and score."""

    index: int
    """Class index."""
    name: str
    """Name of the class, or its value if it has no name."""
    colour: str | None
    """Color as ``#rrggbb``; None if the file does not define one."""
    count: int | None = None
    """Number of pixels in a mask, or number of polygons in a layer."""
    share: float | None = None
    """Fraction of all labeled pixels, or of the total area, from 0 to 1."""
    area_m2: float | None = None
    """Area on the ground in square meters; None if there is no CRS."""
    iou: float | None = None
    """Intersection over union of a model on its validation split, from 0 to 1."""


@dataclass(frozen=True, repr=False)
class FileInfo:
    """The description of a file, as returned by :func:`geoseg.describe`."""

    kind: str
    """Kind of file: recipe, model, scene, mask, label raster or polygons."""
    source: str
    """The path or name that was described."""
    facts: tuple[Fact, ...]
    """Properties of the file, in display order."""
    classes: tuple[ClassRow, ...] = ()
    """Classes in order of class index."""
    counted: str = ""
    """What :attr:`ClassRow.count` counts: pixels or polygons; empty if nothing was counted."""
    notes: tuple[str, ...] = ()
    """Notes for the user, one sentence each."""
    text: str = ""
    """The recipe as YAML, including all defaults; empty for other files."""

    def to_json(self) -> dict[str, Any]:
        """Return the description as a mapping that can be serialized to JSON."""
        content: dict[str, Any] = {"kind": self.kind, "source": self.source}
        content |= {fact.label.replace(" ", "_").lower(): fact.value for fact in self.facts}
        if self.classes:
            content["classes"] = [_without_none(row) for row in self.classes]
        return {**content, "notes": list(self.notes)} if self.notes else content

    def __repr__(self) -> str:
        width = max((len(fact.label) for fact in self.facts), default=0)
        lines = [f"  {fact.label.ljust(width)}  {fact.text}" for fact in self.facts if fact.text]
        for row in self.classes:
            counted = "" if row.count is None else f": {count(row.count, self.counted.removesuffix('s'))}"
            lines.append(f"  class {row.index}  {row.name}{counted}")
        return "\n".join(
            [f"FileInfo({self.kind}, {self.source!r})", *lines, *(f"  note: {note}" for note in self.notes)]
        )


def area_text(area_m2: float, largest_m2: float | None = None) -> str:
    """Format an area in m², ha or km².

    Args:
        area_m2: The area in square meters.
        largest_m2: Area that determines the unit, so that a column has a single unit; by default, ``area_m2``.
    """
    size = area_m2 if largest_m2 is None else largest_m2
    if size < 100_000:
        return f"{area_m2:,.1f} m²"
    return f"{area_m2 / 10_000:,.2f} ha" if size < 100_000_000 else f"{area_m2 / 1_000_000:,.2f} km²"


def gsd_text(gsd: float | None) -> str:
    """Format a ground sample distance with its unit."""
    if gsd is None:
        return "unknown"
    return f"{gsd:.4g} m per pixel" if gsd < 1000 else f"{gsd:,.0f} m per pixel"


def numbers_text(values: Sequence[float]) -> str:
    """Format numbers with four significant digits, separated by commas."""
    return ", ".join(f"{value:.4g}" for value in values)


def _to_text(value: Any) -> str:
    if value is None or value == "":
        return "unknown"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _without_none(row: ClassRow) -> dict[str, Any]:
    return {key: value for key, value in vars(row).items() if value is not None}
