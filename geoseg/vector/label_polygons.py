"""Polygons with class indices on a grid, in the order in which they are burned. Later polygons cover earlier ones.

The class index of a polygon is looked up from the value of one of its attributes.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize as burn

from geoseg._text import count, did_you_mean, join_names
from geoseg.errors import ConfigError, LayerError
from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX
from geoseg.vector.distant_vertices import drop_distant_vertices
from geoseg.vector.io.reader import GridPolygons

MAX_NAMED_VALUES = 20
"""Maximum number of unknown values listed in a message."""

PYTHON_HINT = f"add them to classes, as {IGNORE_INDEX} if these polygons are unlabeled"
"""Hint for unknown values in a call to :func:`geoseg.rasterize`."""


def read_class_indices(
    frame: pd.DataFrame, column: str, classes: Mapping[Any, int] | None, *, name: str, hint: str = PYTHON_HINT
) -> NDArray[np.int64]:
    """Look up the class index of each row.

    Numbers are compared by value, regardless of type. Missing values (NULL, NaN) are looked up as None.

    Args:
        frame: The rows.
        column: Attribute that contains the class.
        classes: Mapping from attribute values to class indices; None if the attribute is the class index.
        name: Name of the layer to use in messages.
        hint: Hint for unknown values; ``{values}`` is replaced with these values, formatted as in a recipe.

    Raises:
        LayerError: If the column is missing, or some values have no class.
    """
    if column not in frame.columns:
        raise LayerError(f"{name} has no column {column!r}", did_you_mean(column, map(str, frame.columns)))
    values = [normalize_value(value) for value in frame[column].tolist()]
    table = {normalize_value(value): index for value, index in classes.items()} if classes is not None else None
    indices = [_to_index(value) if table is None else table.get(value) for value in values]
    unknown = Counter(format_value(value) for value, index in zip(values, indices, strict=True) if index is None)
    if unknown:
        raise _unknown_error(unknown, column, name, "map them to class indices with classes" if table is None else hint)
    return np.array(indices, dtype=np.int64)


def normalize_value(value: Any) -> Any:
    """Return an attribute value as the plain Python value that a recipe would contain: None, bool, int, float or str.

    Example:
        >>> normalize_value(np.float64(1.0)), normalize_value(float("nan")), normalize_value("1")
        (1, None, '1')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | dict | np.ndarray):
        return str(value)
    if value is None or pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


def format_value(value: Any) -> str:
    """Format a value as in a recipe.

    Example:
        >>> [format_value(value) for value in (None, 1, 1.5, True, "1")]
        ['null', '1', '1.5', 'true', "'1'"]
    """
    return repr(value) if isinstance(value, str) else json.dumps(value)


def _to_index(value: Any) -> int | None:
    """Convert a number or text to a class index; return None if it is not a whole number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if math.isfinite(number) and number == math.floor(number) else None


def _unknown_error(unknown: Counter[str], column: str, name: str, hint: str) -> LayerError:
    counted = [f"{value} ({count(number, 'polygon')})" for value, number in unknown.most_common()]
    verb = "has" if len(unknown) == 1 else "have"
    return LayerError(
        f"{name}: {column} is {join_names(counted, limit=MAX_NAMED_VALUES)}, which {verb} no class",
        hint.replace("{values}", _as_list(value for value, _ in unknown.most_common(MAX_NAMED_VALUES))),
    )


def _as_list(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


@dataclass(frozen=True, eq=False)
class LabelPolygons:
    """The polygons in one layer, with their class indices."""

    geometries: NDArray[np.object_]
    """Valid Polygons and MultiPolygons in the CRS of a grid (polygon,), in the order in which they are burned."""
    values: NDArray[np.int64]
    """Class index of each polygon."""
    notes: tuple[str, ...] = ()
    """Notes about polygons that were left out, repaired or ambiguous, one sentence each."""

    @classmethod
    def read(
        cls,
        path: str | Path,
        grid: Grid,
        *,
        value: int | None = None,
        column: str | None = None,
        classes: Mapping[Any, int] | None = None,
        priority: Sequence[int] = (),
        layer: str | None = None,
        hint: str = PYTHON_HINT,
    ) -> Self:
        """Read the polygons in a file that may intersect a grid; for the arguments, see :meth:`select`.

        Raises:
            LayerError: If the file cannot be read, if a value has no class, or if only one of the file and the grid has
                a CRS.
            GridMismatch: If PROJ has no transformation between the two CRSs.
        """
        polygons = GridPolygons.read(path, grid, layer=layer)
        return cls.select(
            polygons, value=value, column=column, classes=classes, priority=priority, name=str(path), hint=hint
        )

    @classmethod
    def select(
        cls,
        polygons: GridPolygons,
        *,
        value: int | None = None,
        column: str | None = None,
        classes: Mapping[Any, int] | None = None,
        priority: Sequence[int] = (),
        name: str = "the layer",
        hint: str = PYTHON_HINT,
    ) -> Self:
        """Look up the classes of polygons, and sort the polygons by priority.

        Args:
            polygons: The polygons.
            value: Class index of all polygons, if ``column`` is not given.
            column: Attribute that contains the class.
            classes: Mapping from attribute values to class indices; None if the attribute is the class index.
            priority: Class indices, topmost first; all other classes are below them. Polygons with the same priority
                are drawn in layer order, the last one on top.
            name: Name of the layer to use in messages.
            hint: Hint for values without a class.
        """
        frame = polygons.frame
        values = (
            np.full(len(frame), value, np.int64)
            if column is None
            else read_class_indices(frame, column, classes, name=name, hint=hint)
        )
        for number in np.unique(values).tolist():
            require_class_index(number)
        geometries = frame.geometry.to_numpy()
        ranks = np.array([_rank(number, priority) for number in values.tolist()], np.int64)
        notes = polygons.notes
        if not polygons.keeps_order:
            notes += _describe_ambiguity(geometries, values, ranks, name)
        order = np.argsort(ranks, kind="stable")
        return cls(geometries[order], values[order], notes)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.geometries)

    def burn(self, grid: Grid, *, fill: int = IGNORE_INDEX) -> tuple[NDArray[np.uint8], bool]:
        """Burn the polygons into an array on a grid, which may be a part of the original grid.

        Returns:
            Class indices (row, col), with ``fill`` outside the polygons; and whether the center of any pixel is inside
            a polygon.
        """
        near = np.sort(self._tree.query(shapely.box(*grid.crop(grid.window.pad(1)).bounds)))
        mask = np.full(grid.shape, fill, np.uint8)
        if not len(near):
            return mask, False
        reduced = drop_distant_vertices(self.geometries[near], grid)
        shapes = [(polygon, k) for k, polygon in enumerate(reduced, start=1) if polygon is not None]
        if not shapes:
            return mask, False
        position = burn(shapes, grid.shape, fill=0, transform=grid.transform, dtype=np.int32)
        covered = position > 0
        mask[covered] = self.values[near][position[covered] - 1]
        return mask, bool(covered.any())


def require_class_index(number: int) -> None:
    """Raise :class:`ConfigError` unless a number is a valid class index or 255."""
    if not 0 <= number <= IGNORE_INDEX:
        raise ConfigError(f"invalid class index {number}", f"class indices are between 0 and {IGNORE_INDEX}")


def _rank(value: int, priority: Sequence[int]) -> int:
    """Return the rank of a class in the drawing order; 0 is at the bottom."""
    return len(priority) - list(priority).index(value) if value in priority else 0


def _describe_ambiguity(
    geometries: NDArray[np.object_], values: NDArray[np.int64], ranks: NDArray[np.int64], name: str
) -> tuple[str, ...]:
    """Return a note if polygons of different classes overlap and neither layer order nor priority ranks them."""
    first, second = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    is_open = (first < second) & (values[first] != values[second]) & (ranks[first] == ranks[second])
    first, second = first[is_open], second[is_open]
    overlaps = int(shapely.relate_pattern(geometries[first], geometries[second], "2********").sum())
    if not overlaps:
        return ()
    pairs = count(overlaps, "pair of polygons", "pairs of polygons")
    reason = "but FlatGeobuf does not keep the order of features: set priority, or use GeoPackage"
    return (f"{name}: {pairs} of different classes overlap, {reason}",)
