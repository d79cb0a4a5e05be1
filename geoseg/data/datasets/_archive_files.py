"""What the published benchmarks have in common: files found by their published names, paired, and counted.

Their archives come zipped or unpacked, in folders that differ from download to download; what never changes are the
files' own names.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from geoseg.data.dataset import LabelledScene
from geoseg.errors import DataError
from geoseg.raster.archive import FileEntry

Key = tuple[str, ...]
"""What tells a scene's files from others': the groups of a pattern, in lower case, numbers without leading zeros."""
Files = dict[Key, Path]

NAMED = 4
"""So many files are named in a message before they are only counted."""


def find(entries: Iterable[FileEntry], pattern: str, *, worse: Callable[[FileEntry], bool] = lambda _: False) -> Files:
    """The files whose whole place fits a pattern (case does not matter), by the pattern's groups.

    Of several files with the same groups (an archive and what was unpacked from it, say) one that is not ``worse`` is
    taken, then one that is not packed.
    """
    compiled = re.compile(pattern, re.IGNORECASE)
    fitting = [(match, entry) for entry in entries if (match := compiled.fullmatch(entry.place))]
    fitting.sort(key=lambda pair: (worse(pair[1]), pair[1].is_packed, pair[1].place), reverse=True)
    return {_key(match): entry.path for match, entry in fitting}


def _key(match: re.Match[str]) -> Key:
    return tuple(str(int(group)) if group.isdigit() else group.lower() for group in match.groups())


def pair(
    images: Files, labels: Files, name: Callable[[Key], str], *, gsd: float | None = None
) -> dict[Key, LabelledScene]:
    """A scene for each image, with the label of the same key or none, in order of the keys; ``gsd`` as published."""
    keys = sorted(images, key=_numerically)
    return {key: LabelledScene(name(key), images[key], labels.get(key), gsd=gsd) for key in keys}


def _numerically(key: Key) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in key]


def require_images(images: Files, what: str, root: Path, others: Mapping[str, Files], option: str) -> None:
    """:class:`DataError` unless there are images; names the kinds that are there instead."""
    if images:
        return
    there = [kind for kind, files in others.items() if files]
    hint = (
        f"there are images of the kind {' and '.join(there)}: --set {option}={there[0]}"
        if there
        else "check the folder's name"
    )
    raise DataError(f"{root} holds no {what}", hint)


def require_complete(wanted: Collection[Key], found: Collection[Key], what: str, name: Callable[[Key], str]) -> None:
    """:class:`DataError` that names what is missing of the published set."""
    missing = [name(key) for key in sorted(wanted, key=_numerically) if key not in found]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(wanted)} {what} are missing: {listed(missing)}",
            "download the rest, or go on without them: --set data.complete=false",
        )


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
