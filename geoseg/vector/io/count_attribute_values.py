"""Count the values in columns with few distinct values, such as the class of each polygon; geometries are not read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio

from geoseg.vector.io.geoparquet import is_parquet

MAX_VALUES = 20
"""Maximum number of distinct values; columns with more values are not counted."""

MAX_VALUE_CHARACTERS = 60
"""Maximum length of a value in characters; columns with longer values are treated as free text and not counted."""

BATCH_ROWS = 16_384
"""Number of rows that are read at a time."""

NULL = "null"
"""Text that represents a missing value."""


def count_attribute_values(name: str, layer: str | None, columns: Iterable[str]) -> dict[str, dict[str, int]]:
    """Count the values of text, integer and boolean columns.

    Rows are read in batches, and a column is dropped as soon as it has too many distinct values.

    Args:
        name: A vector file.
        layer: Name of the layer; None for GeoParquet.
        columns: Names of the columns to count.

    Returns:
        For each column, the number of rows with each value (as text, most frequent first). Integer columns in which
        every value occurs only once, such as identifiers, are left out.
    """
    columns = list(columns)
    if not columns:
        return {}  # pyogrio refuses to read neither columns nor geometries
    counts: dict[str, Counter[str]] = {}
    numeric: set[str] = set()
    with _open_batches(name, layer, columns) as (schema, batches):
        for field in schema:
            if _is_countable(field.type):
                counts[field.name] = Counter()
                numeric |= {field.name} if pa.types.is_integer(field.type) else set()
        for batch in batches:
            for column in list(counts):
                counts[column].update(_to_texts(batch.column(batch.schema.get_field_index(column))))
                if len(counts[column]) > MAX_VALUES or any(
                    len(value) > MAX_VALUE_CHARACTERS for value in counts[column]
                ):
                    del counts[column]
            if not counts:
                break
    return {
        column: dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
        for column, counter in counts.items()
        if counter and not (column in numeric and set(counter.values()) == {1})
    }


@contextmanager
def _open_batches(
    name: str, layer: str | None, columns: list[str]
) -> Iterator[tuple[pa.Schema, Iterable[pa.RecordBatch]]]:
    if is_parquet(name):
        with pq.ParquetFile(name) as file:
            fields = [field for field in file.schema_arrow if field.name in columns and _is_countable(field.type)]
        texts = [field.name for field in fields if not pa.types.is_integer(field.type)]
        # Strings remain dictionary-encoded, because a small file may repeat one long string millions of times.
        with pq.ParquetFile(name, read_dictionary=texts) as file:
            schema, known = file.schema_arrow, [field.name for field in fields]
            yield pa.schema([schema.field(column) for column in known]), file.iter_batches(BATCH_ROWS, columns=known)
        return
    options = {"read_geometry": False, "use_pyarrow": True, "batch_size": BATCH_ROWS}
    with pyogrio.raw.open_arrow(name, layer=layer, columns=columns, **options) as (_, reader):
        yield reader.schema, reader


def _is_countable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _to_texts(column: pa.Array) -> Mapping[str, int]:
    """Return the number of rows in a batch with each value; values are converted to text."""
    counted = column.value_counts()
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return {NULL if value is None else str(value): count for value, count in pairs}
