"""What can be said of a file in a table: facts with a label, a legend with counts, and notes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One thing said of a file."""

    label: str
    """What it is, in a few words."""
    value: Any
    """The value as JSON has it: text, number, list, mapping or None."""
    text: str
    """The value as people read it, with its unit; empty for what only programs want."""


def fact(label: str, value: Any, text: str | None = None) -> Fact:
    """A fact whose text is made from its value unless it is given: lists with commas, None as ``unknown``."""
    return Fact(label, value, _in_words(value) if text is None else text)


@dataclass(frozen=True)
class ClassRow:
    """One class, with how much of it there is where that was counted."""

    index: int
    """Class index."""
    name: str
    """The class's name; its value if it has none."""
    colour: str | None
    """``#rrggbb``; None if the file brings no colour."""
    count: int | None = None
    """Pixels of a mask, polygons of a layer."""
    share: float | None = None
    """Of all labelled pixels, or of all area; 0 … 1."""
    area_m2: float | None = None
    """Square metres on the ground; None without CRS."""
    iou: float | None = None
    """A model's intersection over union on its validation split, 0 … 1."""


@dataclass(frozen=True)
class Summary:
    """What ``describe`` found out about a file."""

    kind: str
    """recipe, model, scene, mask, label raster or polygons."""
    source: str
    """The path or name as given."""
    facts: tuple[Fact, ...]
    """What is said of the file, in reading order."""
    classes: tuple[ClassRow, ...] = ()
    """The legend, in order of class index."""
    counted: str = ""
    """What ``ClassRow.count`` counts: pixels or polygons; empty if nothing was counted."""
    notes: tuple[str, ...] = ()
    """What a user should know before going on, one sentence each."""
    text: str = ""
    """A recipe as whole YAML; empty for everything else."""

    def to_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        content: dict[str, Any] = {"kind": self.kind, "source": self.source}
        content |= {fact.label.replace(" ", "_").lower(): fact.value for fact in self.facts}
        if self.classes:
            content["classes"] = [_known(row) for row in self.classes]
        return {**content, "notes": list(self.notes)} if self.notes else content


def area_text(area_m2: float, largest_m2: float | None = None) -> str:
    """An area in m², ha or km²: the unit that suits it, or that suits the largest of a column it stands in."""
    size = area_m2 if largest_m2 is None else largest_m2
    if size < 100_000:
        return f"{area_m2:,.1f} m²"
    return f"{area_m2 / 10_000:,.2f} ha" if size < 100_000_000 else f"{area_m2 / 1_000_000:,.2f} km²"


def metres_per_pixel(gsd: float | None) -> str:
    """A ground sample distance with its unit."""
    if gsd is None:
        return "unknown"
    return f"{gsd:.4g} m per pixel" if gsd < 1000 else f"{gsd:,.0f} m per pixel"


def numbers(values: Sequence[float]) -> str:
    """Numbers with four significant digits, commas between."""
    return ", ".join(f"{value:.4g}" for value in values)


def _in_words(value: Any) -> str:
    if value is None or value == "":
        return "unknown"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def _known(row: ClassRow) -> dict[str, Any]:
    return {key: value for key, value in vars(row).items() if value is not None}
