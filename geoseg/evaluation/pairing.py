"""Which reference goes with which mask or scene: by the names of their files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg._files import VECTOR_SUFFIXES
from geoseg.errors import DataError, did_you_mean
from geoseg.raster.discovery import SUFFIXES, list_scenes, means_several

ENDING = re.compile(r"[_.-](masks?|labels?|reference|confidence|probabilities)$", re.IGNORECASE)
"""What names of masks, references and confidences may end in, besides what their scene is called."""


@dataclass(frozen=True)
class Pair:
    """A file to be judged, and the file that says what is right."""

    name: str
    """What both show; unique."""
    judged: Path
    """Mask or scene."""
    reference: Path
    """Raster or polygons."""
    confidence: Path | None = None
    """Raster of confidences or probabilities."""
    image: Path | None = None
    """The scene that a mask was made of."""


def find_pairs(
    judged: str | Path,
    reference: str | Path,
    *,
    confidence: str | Path | None = None,
    image: str | Path | None = None,
) -> list[Pair]:
    """Every file that ``judged`` means (a file, a folder, a pattern), with the other files of the same name.

    Polygons in one file may be the reference of many; a single file goes with a single file whatever it is called.
    :class:`DataError` if a reference is missing.
    """
    files = [Path(path) for path in _listed(str(judged))]
    others = [
        [None] * len(files) if word is None else _partners(files, str(word), what)
        for word, what in ((confidence, "confidence"), (image, "scene"))
    ]
    rights = _partners(files, str(reference), "reference")
    return [Pair(*each) for each in zip(_names(files), files, rights, *others, strict=True)]


def scene_name(path: Path) -> str:
    """What a file shows: its name without suffix and without the endings of masks and labels."""
    return ENDING.sub("", path.stem) or path.stem


def _listed(word: str) -> list[str]:
    """The files a word means; in a folder also those called masks, and polygons."""
    if not Path(word).is_dir():
        return list_scenes([word])
    known = {*SUFFIXES, *VECTOR_SUFFIXES}
    found = [str(p) for p in sorted(Path(word).iterdir()) if p.suffix.lower() in known and not p.name.startswith(".")]
    if not found:
        raise DataError(f"the folder {word} holds neither rasters nor polygons", "check the path")
    return found


def _partners(files: Sequence[Path], word: str, what: str) -> list[Path]:
    """For each file the one that goes with it."""
    several = means_several([word])
    if not several and (len(files) == 1 or Path(word).suffix.lower() in VECTOR_SUFFIXES):
        return [Path(word)] * len(files)
    by_name: dict[str, Path] = {}
    for path in map(Path, _listed(word)):
        by_name.setdefault(scene_name(path), path)
    return [_partner(file, by_name, word, what) for file in files]


def _partner(file: Path, by_name: dict[str, Path], word: str, what: str) -> Path:
    name = scene_name(file)
    if name not in by_name:
        raise DataError(f"{word} holds no {what} for {file.name}", did_you_mean(name, by_name))
    return by_name[name]


def _names(files: Sequence[Path]) -> list[str]:
    """Short names, or whole paths where short ones are not unique."""
    names = [scene_name(file) for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]
