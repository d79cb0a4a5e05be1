"""Text for messages and tables: lists of names, percentages, aligned columns, suggestions, and checks of names."""

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence

MAX_NAME_LENGTH = 255
"""Maximum number of characters in the name of a class or a band."""

NUMBER_AND_PLURAL = re.compile(r"(?<![:\w])\d[\d,]*|(?<=\w)s\b")
"""Parts of a note that depend on a count: the number, which is not part of a name or code, and the plural of the noun."""

UNPRINTABLE_CATEGORIES = ("Cc", "Cs")
"""Unicode categories that are not allowed in names: control characters, and surrogates, which cannot be encoded."""


def join_names(names: Iterable[object], *, limit: int | None = None, separator: str = ", ") -> str:
    """Join names into one phrase; after the first ``limit`` names, only the number of remaining names is given.

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


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Format a number followed by a noun, with commas as thousands separators.

    Args:
        number: The number.
        noun: The noun in the singular.
        plural: The plural of the noun; by default, ``noun`` followed by ``s``.

    Example:
        >>> count(1, "polygon"), count(2000, "polygon"), count(0, "class", "classes")
        ('1 polygon', '2,000 polygons', '0 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def merge_notes(notes: Iterable[Sequence[str]]) -> list[str]:
    """Merge the notes about scenes that share files: each note once, in the order of their first occurrence.

    The same file can give different numbers for two scenes, because only its part near a scene is read.

    Args:
        notes: The notes about each scene, in the format ``file: sentence``.

    Returns:
        The notes. Notes that differ only in their numbers become one, with the number of scenes that have other numbers.

    Example:
        >>> merge_notes([["a.gpkg: left out 1 point"], ["a.gpkg: left out 1 point"], ["a.gpkg: left out 3 points"]])
        ['a.gpkg: left out 1 point (other numbers for 1 other scene)']
    """
    merged: dict[tuple[str, str], list[str]] = {}
    for note in (note for own in notes for note in own):
        name, _, sentence = note.partition(": ")
        merged.setdefault((name, NUMBER_AND_PLURAL.sub("", sentence)), []).append(note)
    return [_merge_variants(variants) for variants in merged.values()]


def _merge_variants(variants: Sequence[str]) -> str:
    others = sum(note != variants[0] for note in variants)
    return f"{variants[0]} (other numbers for {count(others, 'other scene')})" if others else variants[0]


def percent(share: float) -> str:
    """Format a fraction between 0 and 1 as a percentage with two decimals, or ``-`` for NaN.

    Example:
        >>> percent(0.12345), percent(float("nan"))
        ('12.35', '-')
    """
    return "-" if math.isnan(share) else f"{100 * share:.2f}"


def align_columns(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Pad the cells of a table so that its columns line up, two spaces apart.

    Args:
        rows: Cells as text; all rows have the same length.
        right: For each column, whether it is right-aligned.

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


def describe_bad_name(name: object) -> str:
    """Return the problem with the name of a class or a band, as the end of a sentence; empty if there is none.

    Names from recipes may be numbers, which are attribute values of polygon labels.
    """
    if isinstance(name, int | float):
        return ""
    if not isinstance(name, str):
        return f"is {name!r:.40}, which is not text"
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"has {len(name)} characters, which is more than {MAX_NAME_LENGTH}"
    if any(unicodedata.category(letter) in UNPRINTABLE_CATEGORIES for letter in name):
        return f"contains a control character: {name[:40]!a}"
    return ""
