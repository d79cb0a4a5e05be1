"""Match masks or scenes with their references by file name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from geoseg._files import VECTOR_SUFFIXES
from geoseg.raster.discovery import is_collection, list_rasters_and_layers, match_by_name, scene_name


@dataclass(frozen=True)
class SceneFiles:
    """The files of one evaluated scene."""

    name: str
    """Name of the scene; unique."""
    path: Path
    """Mask or scene."""
    reference: Path
    """Reference raster or vector file."""
    confidence: Path | None = None
    """Raster of confidence or class probabilities."""
    image: Path | None = None
    """Scene that a mask was predicted from."""


def match_files(
    source: str | Path,
    reference: str | Path,
    *,
    confidence: str | Path | None = None,
    image: str | Path | None = None,
) -> list[SceneFiles]:
    """Match every mask or scene with the other files of the same name.

    One vector file may be the reference of many masks. Two single files match whatever their names are.

    Args:
        source: Mask or scene: a file, a folder or a pattern.
        reference: References: a file, a folder or a pattern.
        confidence: Rasters of confidence or class probabilities.
        image: Scenes that the masks were predicted from.

    Raises:
        DataError: A folder is empty, or a reference, confidence or image is missing.
    """
    files = [Path(path) for path in list_rasters_and_layers(str(source))]
    optional = [
        [None] * len(files) if word is None else _match(files, str(word), kind)
        for word, kind in ((confidence, "confidence"), (image, "scene"))
    ]
    references = _match(files, str(reference), "reference")
    return [SceneFiles(*each) for each in zip(_unique_names(files), files, references, *optional, strict=True)]


def _match(files: Sequence[Path], word: str, kind: str) -> list[Path]:
    """Return the matching file of each file."""
    if not is_collection([word]) and (len(files) == 1 or Path(word).suffix.lower() in VECTOR_SUFFIXES):
        return [Path(word)] * len(files)
    return match_by_name(files, map(Path, list_rasters_and_layers(word)), folder=word, kind=kind)


def _unique_names(files: Sequence[Path]) -> list[str]:
    """Return short names, or whole paths if short names are not unique."""
    names = [scene_name(file) for file in files]
    return names if len(set(names)) == len(names) else [str(file) for file in files]
