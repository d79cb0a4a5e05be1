"""Class indices of polygons, looked up from the values of an attribute; values in messages as in a recipe."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geoseg._text import did_you_mean, join_names
from geoseg.errors import LayerError
from geoseg.legend import IGNORE_INDEX

MAX_NAMED_VALUES = 20
"""Number of unknown values that a message names."""

PYTHON_HINT = f"add them to classes, as {IGNORE_INDEX} if these polygons are not labelled"
"""What to do about unknown values in a call of :func:`geoseg.rasterize`."""


def read_class_indices(
    frame: pd.DataFrame, column: str, classes: Mapping[Any, int] | None, *, name: str, hint: str = PYTHON_HINT
) -> NDArray[np.int64]:
    """Look up the class index of each row.

    Numbers are equal if their values are, whatever their types. A missing value (NULL, NaN) is the key None.

    Args:
        frame: The rows.
        column: Attribute with the class.
        classes: Class index by value; None if the attribute is the class index.
        name: Name of the layer for messages.
        hint: What to do about unknown values; ``{values}`` stands for them, as in a recipe.

    Raises:
        LayerError: The column is missing, or values have no class.
    """
    if column not in frame.columns:
        raise LayerError(f"{name} has no column {column!r}", did_you_mean(column, map(str, frame.columns)))
    values = [normalize_value(value) for value in frame[column].tolist()]
    table = {normalize_value(value): index for value, index in classes.items()} if classes is not None else None
    indices = [_to_index(value) if table is None else table.get(value) for value in values]
    unknown = Counter(format_value(value) for value, index in zip(values, indices, strict=True) if index is None)
    if unknown:
        raise _unknown_error(unknown, column, name, "map them to class indices by classes" if table is None else hint)
    return np.array(indices, dtype=np.int64)


def normalize_value(value: Any) -> Any:
    """Return an attribute value as the plain Python value that a recipe holds: None, bool, int, float or str.

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
    """Write a value as in a recipe.

    Example:
        >>> [format_value(value) for value in (None, 1, 1.5, True, "1")]
        ['null', '1', '1.5', 'true', "'1'"]
    """
    return repr(value) if isinstance(value, str) else json.dumps(value)


def _to_index(value: Any) -> int | None:
    """Return a class index that is stored as a number or as text; None if the value is neither."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if math.isfinite(number) and number == math.floor(number) else None


def _unknown_error(unknown: Counter[str], column: str, name: str, hint: str) -> LayerError:
    counted = [f"{value} ({count} polygon{'s' if count > 1 else ''})" for value, count in unknown.most_common()]
    verb = "has" if len(unknown) == 1 else "have"
    return LayerError(
        f"{name}: {column} is {join_names(counted, limit=MAX_NAMED_VALUES)}, which {verb} no class",
        hint.replace("{values}", _as_list(value for value, _ in unknown.most_common(MAX_NAMED_VALUES))),
    )


def _as_list(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"
