"""Legends: names and colors of classes by class index.

Class indices range from 0 to n-1 and are the output channels of the network. The ignore index (255) marks pixels that
are not labeled in targets and not predicted in masks; it is not a class.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg._text import describe_bad_name, did_you_mean, join_names
from geoseg.errors import ConfigError

IGNORE_INDEX = 255
"""Value of pixels that are not labeled or not predicted."""

INVALID_LEGEND_HINT = "a legend is a JSON list of objects with index, name and colour (#rrggbb)"

Colour = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""


@dataclass(frozen=True)
class LegendEntry:
    """One class of a legend."""

    index: int
    """Class index, which is also the output channel of the network."""
    name: str
    """Name of the class, unique in its legend."""
    colour: Colour
    """Display color, with which the class may also be encoded in RGB label files."""

    @property
    def hex(self) -> str:
        """The color as ``#rrggbb``."""
        return "#{:02x}{:02x}{:02x}".format(*self.colour)


@dataclass(frozen=True)
class Legend:
    """The classes of a model, a dataset or a mask.

    Example:
        >>> legend = Legend.of({"water": "#0000ff", "road": [255, 0, 0]})
        >>> legend.names, legend.index_of("road"), legend.entries[0].colour
        (('water', 'road'), 1, (0, 0, 255))
    """

    entries: tuple[LegendEntry, ...]
    """Classes in the order of their indices, which start at 0 and have no gaps."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.entries) <= IGNORE_INDEX:
            message = f"a legend must have 1 to {IGNORE_INDEX} classes, got {len(self.entries)}"
            raise ConfigError(message, "give names, with or without colors, in the order of the class indices")
        if [e.index for e in self.entries] != list(range(len(self.entries))):
            indices = join_names((e.index for e in self.entries), limit=8)
            raise ConfigError(f"class indices are [{indices}]", "they must begin at 0 and have no gaps")
        for name in self.names:
            if problem := describe_bad_name(name):
                raise ConfigError(f"the name of a class {problem}", "give each class a short name")
        for what, values in (("name", self.names), ("colour", [e.hex for e in self.entries])):
            duplicates = sorted({v for v in values if list(values).count(v) > 1})
            if duplicates:
                raise ConfigError(f"two classes have the {what} {duplicates[0]}", f"give each class a different {what}")

    @classmethod
    def of(cls, classes: Mapping[str, str | Sequence[int] | None] | Sequence[str]) -> Self:
        """Create a legend from class names, numbered in the given order.

        Args:
            classes: Class names, or a mapping from names to colors: ``#rrggbb``, three numbers, or None to choose a
                color automatically.

        Raises:
            ConfigError: If a name or a color occurs twice, or a color is invalid.
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
        """Create a legend from the result of :meth:`to_json`; names that are numbers become text.

        Raises:
            ConfigError: If the text is not a legend.
        """
        try:
            entries = tuple(_parse_entry(row) for row in json.loads(text))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ConfigError("the legend is not a list of classes", INVALID_LEGEND_HINT) from error
        return cls(entries)

    def to_json(self) -> str:
        """Write the legend as JSON: a list of objects with index, name and ``#rrggbb`` color."""
        return json.dumps([{"index": e.index, "name": e.name, "colour": e.hex} for e in self.entries])

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return tuple(e.name for e in self.entries)

    def index_of(self, name: str) -> int:
        """Return the index of the class with this name; raise :class:`ConfigError` for an unknown name."""
        if name not in self.names:
            raise ConfigError(f"the legend has no class {name!r}", did_you_mean(name, self.names))
        return self.names.index(name)

    def colour_table(self) -> NDArray[np.uint8]:
        """Return the RGBA color of each pixel value, shape (256, 4); values without a class are transparent."""
        table = np.zeros((256, 4), np.uint8)
        for entry in self.entries:
            table[entry.index] = (*entry.colour, 255)
        return table

    def draw(self, class_index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Render class indices (row, col) as an RGB image (row, col, 3), which is black where there is no class."""
        return self.colour_table()[class_index][..., :3]

    def mapping_to(self, other: "Legend") -> NDArray[np.uint8]:
        """Return a lookup table, shape (256,), from class indices of this legend to those of ``other``, by name.

        Classes that are not in ``other``, and values that are not classes, map to the ignore index.

        Example:
            >>> table = Legend.of(["a", "b"]).mapping_to(Legend.of(["b"]))
            >>> table[:3].tolist()
            [255, 0, 255]
        """
        table = np.full(256, IGNORE_INDEX, np.uint8)
        for entry in self.entries:
            if entry.name in other.names:
                table[entry.index] = other.index_of(entry.name)
        return table


def _parse_entry(row: Mapping[str, Any]) -> LegendEntry:
    """Convert one object of a JSON legend; raise TypeError or LookupError if it is not a legend entry."""
    index, name = row["index"], row["name"]
    if type(index) is not int:
        raise TypeError(f"the index of a class is {index!r}")
    return LegendEntry(index, str(name) if isinstance(name, int | float) else name, parse_colour(row["colour"]))


def parse_colour(colour: str | Sequence[int]) -> Colour:
    """Convert ``#rrggbb`` or a sequence of three numbers from 0 to 255 to a color.

    Raises:
        ConfigError: If the color is invalid.
    """
    try:
        numbers = tuple(bytes.fromhex(colour.removeprefix("#"))) if isinstance(colour, str) else tuple(colour)
        red, green, blue = (int(n) for n in numbers)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"invalid colour {colour!r:.40}", "write '#rrggbb' or [red, green, blue]") from error
    if not all(0 <= n <= 255 for n in (red, green, blue)):
        raise ConfigError(f"invalid colour {colour!r:.40}", "red, green and blue must be between 0 and 255")
    return red, green, blue


def default_colour(index: int) -> Colour:
    """Return a color for a class index; hues differ by the golden angle, and all colors are different and not black."""
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


def make_numbered_legend(indices: Iterable[int]) -> Legend:
    """Create a legend for a mask without one, with classes from 0 to the largest of ``indices``, named after the index."""
    return Legend.of({str(index): None for index in range(max(indices, default=0) + 1)})
