"""The legend: which class index means what, and in which colour it is drawn.

Class indices are 0 … n-1 and equal the network's output channels. The ignore index (255) stands for "not labelled" in
targets and "not predicted" in masks; it is no class and has no entry.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError, did_you_mean

IGNORE_INDEX = 255
"""The value of pixels that are not labelled or not predicted."""

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 … 255."""


@dataclass(frozen=True)
class LegendEntry:
    """One class."""

    index: int
    """Class index, equal to the network's output channel."""
    name: str
    """The class as the user calls it; unique in its legend."""
    colour: Colour
    """How the class is drawn; also how RGB-coloured label files may write it."""

    @property
    def hex(self) -> str:
        """The colour as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


@dataclass(frozen=True)
class Legend:
    """The classes of a model, a dataset or a mask, in the order of their indices."""

    entries: tuple[LegendEntry, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.entries) <= IGNORE_INDEX:
            raise ConfigError(f"a legend has 1 to {IGNORE_INDEX} classes, not {len(self.entries)}")
        if [e.index for e in self.entries] != list(range(len(self.entries))):
            raise ConfigError(f"class indices are {[e.index for e in self.entries]}", "they run from 0 without gaps")
        for what, values in (("name", self.names), ("colour", [e.hex for e in self.entries])):
            twice = sorted({v for v in values if list(values).count(v) > 1})
            if twice:
                raise ConfigError(
                    f"the {what} {twice[0]} stands for two classes", f"give each class a {what} of its own"
                )

    @classmethod
    def of(cls, classes: Mapping[str, str | Sequence[int] | None] | Sequence[str]) -> Self:
        """A legend from names with colours (``#rrggbb`` or three numbers; None picks one), or from names alone.

        Classes are numbered in the order they stand in.
        """
        pairs = classes.items() if isinstance(classes, Mapping) else [(name, None) for name in classes]
        return cls(
            tuple(
                LegendEntry(index, name, parse_colour(colour) if colour is not None else default_colour(index))
                for index, (name, colour) in enumerate(pairs)
            )
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The legend that :meth:`to_json` wrote."""
        rows = json.loads(text)
        return cls(tuple(LegendEntry(row["index"], row["name"], parse_colour(row["colour"])) for row in rows))

    def to_json(self) -> str:
        """The legend as text: a list of index, name and ``#rrggbb`` colour."""
        return json.dumps([{"index": e.index, "name": e.name, "colour": e.hex} for e in self.entries])

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order of class index."""
        return tuple(e.name for e in self.entries)

    def index_of(self, name: str) -> int:
        """The class index of a name; :class:`ConfigError` with the nearest name if there is none."""
        if name not in self.names:
            raise ConfigError(f"the legend has no class {name!r}", did_you_mean(name, self.names))
        return self.names.index(name)

    def colour_table(self) -> NDArray[np.uint8]:
        """Red, green, blue, alpha by pixel value, shape (256, 4); transparent where the value is no class."""
        table = np.zeros((256, 4), np.uint8)
        for entry in self.entries:
            table[entry.index] = (*entry.colour, 255)
        return table

    def draw(self, class_index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask (row, col) of class indices in its colours, as (row, col, 3); black where there is no class."""
        return self.colour_table()[class_index][..., :3]

    def mapping_to(self, other: "Legend") -> NDArray[np.uint8]:
        """A look-up table (256,) from this legend's class indices to ``other``'s, by class name.

        Classes that ``other`` does not know, and every value that is no class, become the ignore index.
        """
        table = np.full(256, IGNORE_INDEX, np.uint8)
        for entry in self.entries:
            if entry.name in other.names:
                table[entry.index] = other.index_of(entry.name)
        return table


def parse_colour(colour: str | Sequence[int]) -> Colour:
    """Three numbers 0 … 255 from ``#rrggbb`` or a sequence of three."""
    try:
        numbers = tuple(bytes.fromhex(colour.removeprefix("#"))) if isinstance(colour, str) else tuple(colour)
        red, green, blue = (int(n) for n in numbers)
    except (ValueError, TypeError):
        raise ConfigError(f"{colour!r} is no colour", "write '#rrggbb' or [red, green, blue]") from None
    if not all(0 <= n <= 255 for n in (red, green, blue)):
        raise ConfigError(f"{colour!r} is no colour", "red, green and blue lie between 0 and 255")
    return red, green, blue


def default_colour(index: int) -> Colour:
    """A colour for a class that has none: hues apart by the golden angle, never black, never the same twice."""
    hue = (index * 0.618034) % 1.0 * 6
    level = 230 - 50 * (index // 12 % 3) - index // 36
    ramp = int(level * (1 - abs(hue % 2 - 1)))
    ramps = [
        (level, ramp, 40),
        (ramp, level, 40),
        (40, level, ramp),
        (40, ramp, level),
        (ramp, 40, level),
        (level, 40, ramp),
    ]
    return ramps[int(hue)]


def numbered(indices: Iterable[int]) -> Legend:
    """A legend for a mask that brings none: each class is named after its value."""
    return Legend.of({str(index): None for index in range(max(indices, default=0) + 1)})
