"""Find the files of published benchmarks by file name, pair images with labels, and check for missing files.

Archives may be zipped or already extracted, and the folder layout varies between downloads, but file names do not.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from geoseg._text import join_names
from geoseg.data.dataset import LabelledScene
from geoseg.errors import DataError
from geoseg.raster.archive import FileEntry

SceneKey = tuple[str, ...]
"""Key of a scene in file names: the values of a pattern's groups, in lower case, without leading zeros in numbers."""
FilesByKey = dict[SceneKey, Path]

MAX_NAMES = 4
"""Maximum number of scenes listed in a message."""


def find_files(
    entries: Iterable[FileEntry], pattern: str, *, is_fallback: Callable[[FileEntry], bool] = lambda _: False
) -> FilesByKey:
    """Find the files whose paths relative to the root match a pattern.

    Args:
        entries: Files in the root folder and its subfolders.
        pattern: Regular expression with groups that identify the scene; matched against the whole path,
            case-insensitively.
        is_fallback: Function that returns True for files that are only used if no other file has the same groups.

    Returns:
        One file for each combination of group values; among duplicates, a file outside a zip archive is preferred.
    """
    compiled = re.compile(pattern, re.IGNORECASE)
    matches = [(match, entry) for entry in entries if (match := compiled.fullmatch(entry.relative_path))]
    matches.sort(key=lambda pair: (is_fallback(pair[1]), pair[1].is_packed, pair[1].relative_path), reverse=True)
    return {_scene_key(match): entry.path for match, entry in matches}


def _scene_key(match: re.Match[str]) -> SceneKey:
    return tuple(str(int(group)) if group.isdigit() else group.lower() for group in match.groups())


def pair_scenes(
    images: FilesByKey, labels: FilesByKey, name: Callable[[SceneKey], str], *, gsd: float | None = None
) -> dict[SceneKey, LabelledScene]:
    """Return a scene for each image, with the label that has the same key, if any.

    Args:
        images: Image files.
        labels: Label files.
        name: Function that returns the name of a scene, given its key.
        gsd: Published ground sampling distance in meters per pixel.

    Returns:
        Scenes in the order of their keys; numbers are sorted numerically.
    """
    keys = sorted(images, key=_numerical_order)
    return {key: LabelledScene(name(key), images[key], labels.get(key), gsd=gsd) for key in keys}


def _numerical_order(key: SceneKey) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in key]


def require_images(
    images: FilesByKey, description: str, root: Path, by_kind: Mapping[str, FilesByKey], option: str
) -> None:
    """Check that there are images.

    Args:
        images: The images.
        description: Type and file name pattern of the images, for the message.
        root: Folder that was searched.
        by_kind: Images of all types, for the hint.
        option: Recipe key that selects the type.

    Raises:
        DataError: If there are none; the hint lists the available types.
    """
    if images:
        return
    kinds = [kind for kind, files in by_kind.items() if files]
    hint = (
        f"it contains images of type {' and '.join(kinds)}: use --set {option}={kinds[0]}"
        if kinds
        else "check the name of the folder"
    )
    raise DataError(f"{root} contains no {description}", hint)


def require_complete(
    expected: Collection[SceneKey], keys: Collection[SceneKey], description: str, name: Callable[[SceneKey], str]
) -> None:
    """Check that a published set is complete.

    Args:
        expected: Keys of the published scenes.
        keys: Keys of the scenes that were found.
        description: Description of the scenes, for the message.
        name: Function that returns the name of a scene, given its key.

    Raises:
        DataError: If scenes are missing; the message lists the first of them.
    """
    missing = [name(key) for key in sorted(expected, key=_numerical_order) if key not in keys]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(expected)} {description} are missing: {join_names(missing, limit=MAX_NAMES)}",
            "download the rest, or continue without the missing images: --set data.complete=false",
        )
