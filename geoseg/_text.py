"""Text for messages and tables: lists of names, percentages, aligned columns, suggestions for misspelled words."""

import difflib
import math
from collections.abc import Iterable, Sequence


def join_names(names: Iterable[object], *, limit: int | None = None, separator: str = ", ") -> str:
    """Join names into one phrase; after the first ``limit`` names, only the number of the others is given.

    Example:
        >>> join_names(["red", "green", "blue"])
        'red, green, blue'
        >>> join_names(["red", "green", "blue"], limit=2)
        'red, green and 1 more'
    """
    words = [str(name) for name in names]
    shown = words if limit is None else words[:limit]
    rest = len(words) - len(shown)
    return separator.join(shown) + (f" and {rest} more" if rest else "")


def percent(share: float) -> str:
    """Format a fraction between 0 and 1 as a percentage with two decimals, or ``-`` for NaN.

    Example:
        >>> percent(0.12345), percent(float("nan"))
        ('12.35', '-')
    """
    return "-" if math.isnan(share) else f"{100 * share:.2f}"


def align_columns(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Pad the cells of a table to columns that are two spaces apart.

    Args:
        rows: Cells as text; all rows have the same length.
        right: For each column, True to align it to the right.

    Returns:
        One line of text per row, without trailing spaces.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Write a hint for an unknown word: the most similar candidate, or all candidates if none is similar.

    Example:
        >>> did_you_mean("deeplab", ["deeplabv3", "fcn"])
        'did you mean deeplabv3?'
    """
    choices = sorted(candidates)
    nearest = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return f"choose one of {', '.join(choices)}" if choices else "there are no candidates"
