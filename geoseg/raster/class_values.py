"""Read the class values of rasters without a legend.

Every value is a class, except a declared nodata value and the values that the user chooses to ignore.

geoseg writes 255 where there is no class and declares it as nodata. In files from other programs, 255 is treated like
any other value, because two-class masks are often stored as 0 and 255.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geoseg._text import count
from geoseg.errors import ConfigError, SceneError
from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX, Legend, make_numbered_legend
from geoseg.raster.scene import Scene

INTEGER = re.compile(r"-?[0-9]+")

STRIP_PIXELS = 2**24
"""Number of pixels per strip when values are counted."""

COUNTED_BY_TABLE = (np.dtype(np.uint8), np.dtype(np.uint16))
"""Pixel types whose values are counted with a histogram; values of other types are sorted."""


@dataclass(frozen=True)
class IgnoredValues:
    """Values that mean "no class", in addition to a declared nodata value."""

    values: frozenset[int] = frozenset()
    """Pixel values without a class."""
    keeps_nodata: bool = False
    """True if a declared nodata value is also a class."""

    @classmethod
    def parse(cls, words: Sequence[str], *, skip_others: bool = False) -> Self:
        """Parse the values of ``ignore``: integers, or the single word ``none``.

        Args:
            words: The values.
            skip_others: True to skip words that are not integers, which may be colors or attribute values.

        Raises:
            ConfigError: If ``none`` is given together with a value, or a word is not an integer.
        """
        if "none" not in words:
            others = [word for word in words if not INTEGER.fullmatch(word)]
            if others and not skip_others:
                raise ConfigError(f"ignore: {others[0]!r} is not a pixel value", "give integers, or none")
            return cls(frozenset(int(word) for word in words if word not in others))
        if len(words) > 1:
            raise ConfigError("ignore: none is combined with a value", "specify either none or values")
        return cls(keeps_nodata=True)


@dataclass(frozen=True)
class ClassValues:
    """Classes that are named after pixel values."""

    legend: Legend
    """The classes, whose names are the values."""
    indices: Mapping[int, int]
    """Class index of each value that occurs."""

    @classmethod
    def of(cls, values: Collection[int]) -> Self:
        """Assign class indices: the values themselves if all are from 0 to 254, otherwise ascending numbers from 0.

        Raises:
            ConfigError: If there are more than 255 values.

        Example:
            >>> ClassValues.of([0, 2]).legend.names, ClassValues.of([0, 255]).legend.names
            (('0', '1', '2'), ('0', '255'))
        """
        if not values or 0 <= min(values) <= max(values) < IGNORE_INDEX:
            return cls(make_numbered_legend(values), {value: value for value in values})
        names = sorted({0, *values}) if len({0, *values}) <= IGNORE_INDEX else sorted(values)
        numbers = {value: index for index, value in enumerate(names)}
        return cls(Legend.of([str(value) for value in names]), {value: numbers[value] for value in values})


NOTHING_IGNORED = IgnoredValues()
"""The default: only a declared nodata value means "no class"."""


def integer_nodata(scene: Scene) -> int | None:
    """Return the declared nodata value; None if there is none, or if it is not an integer."""
    return int(scene.nodata) if scene.nodata is not None and float(scene.nodata).is_integer() else None


def require_class_values(scene: Scene) -> None:
    """Raise :class:`SceneError` unless a raster has one band of integers."""
    if len(scene.bands) != 1 or scene.dtype.kind not in "iub":
        bands = f"{count(len(scene.bands), 'band')} of {scene.dtype}"
        raise SceneError(
            f"{scene.path} is not a mask: it has {bands}", "a mask must have one band of integer class values"
        )


def count_values(scene: Scene, ignored: IgnoredValues = NOTHING_IGNORED) -> Counter[int]:
    """Count the valid pixels of each class value.

    Args:
        scene: A raster with one band of integers.
        ignored: Values without a class, as specified by the user.

    Raises:
        SceneError: If there are more distinct values than possible classes.
    """
    counts: Counter[int] = Counter()
    for part in _counts_of_strips(scene, ignored):
        counts.update({value: number for value, number in part.items() if value not in ignored.values})
        if len(counts) > IGNORE_INDEX:
            raise SceneError(
                f"{scene.path} is not a mask: it has more than {IGNORE_INDEX} different values",
                "use a raster of class values, not an image",
            )
    return counts


def _counts_of_strips(scene: Scene, ignored: IgnoredValues) -> Iterator[dict[int, int]]:
    """Yield the pixel counts of each strip, keyed by value."""
    block_rows = scene.block_shape[0]
    rows = max(STRIP_PIXELS // (block_rows * scene.grid.width), 1) * block_rows
    with open_values(scene, ignored) as opened:
        for window in strips(*scene.grid.shape, rows):
            raster = opened.read(window, nearest=True)
            yield count_array(raster.values[0][raster.valid])


@contextmanager
def open_values(scene: Scene, ignored: IgnoredValues) -> Iterator[Scene]:
    """Open a raster to read its class values, treating nodata as a value if the user requests it.

    Args:
        scene: The open raster, which is not closed.
        ignored: Values without a class, as specified by the user.
    """
    if not ignored.keeps_nodata:
        yield scene
        return
    with scene.reopen(Scene).without_nodata() as opened:
        yield opened


def count_array(values: NDArray[Any]) -> dict[int, int]:
    """Count the elements of an array of integers by value."""
    if values.dtype in COUNTED_BY_TABLE:
        table = np.bincount(values.ravel())
        occurring = np.flatnonzero(table)
        numbers = table[occurring]
    else:
        occurring, numbers = np.unique(values, return_counts=True)
    return dict(zip(map(int, occurring), map(int, numbers), strict=True))
