"""Expand arguments into scenes: a file, a folder of files, or a glob pattern (``tiles/*.tif``).

This module also matches the files of a scene, such as an image and its label, by name.
"""

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from geoseg._output_files import RASTER_SUFFIXES, VECTOR_SUFFIXES
from geoseg._text import did_you_mean
from geoseg.errors import DataError, SceneError
from geoseg.raster.output_bands import SHARES

MASK_ENDING = "_mask"
"""Ending of the file names of predicted masks, before the suffix."""

RESULT_ENDINGS = (MASK_ENDING, *(f"_{name}" for name in SHARES), "_preview")
"""Endings of the names of all prediction outputs; in a folder, files with such an ending are not treated as scenes."""

NAME_ENDING = re.compile(r"[_.-](masks?|labels?|reference|confidence|probabilities)$", re.IGNORECASE)
"""Ending of a file name that is not part of the scene name."""


def is_collection(arguments: Sequence[str]) -> bool:
    """Return True if there may be several scenes: several arguments, or one that is a folder or a pattern."""
    return len(arguments) != 1 or Path(arguments[0]).is_dir() or _is_pattern(arguments[0])


def list_scenes(arguments: Sequence[str]) -> list[str]:
    """Expand arguments into paths of scenes, without duplicates.

    Args:
        arguments: Paths, URLs, folders or glob patterns. Paths and URLs are returned unchanged and not checked.

    Returns:
        The paths in the order of the arguments, sorted by name within each folder or pattern.

    Raises:
        SceneError: If a folder or a pattern contains no scenes.
    """
    return list(dict.fromkeys(path for argument in arguments for path in _expand(argument)))


def _expand(argument: str) -> list[str]:
    if Path(argument).is_dir():
        paths = [str(path) for path in sorted(Path(argument).iterdir()) if _is_scene(path)]
        missing = f"the folder {argument} contains no scenes", f"scenes are files with {', '.join(RASTER_SUFFIXES)}"
    elif _is_pattern(argument):
        paths = sorted(path for path in glob.glob(argument, recursive=True) if Path(path).is_file())  # noqa: PTH207  (keeps paths as typed)
        missing = f"no file matches {argument}", "check the path"
    else:
        return [argument]
    if not paths:
        raise SceneError(*missing)
    return paths


def _is_scene(path: Path) -> bool:
    is_hidden, is_result = path.name.startswith("."), path.stem.endswith(RESULT_ENDINGS)
    return path.suffix.lower() in RASTER_SUFFIXES and not is_hidden and not is_result


def _is_pattern(argument: str) -> bool:
    is_local = "://" not in argument and not argument.startswith("/vsi")
    return is_local and any(sign in argument for sign in "*?[") and not Path(argument).exists()


def list_rasters_and_layers(argument: str) -> list[str]:
    """Expand an argument into files that are images, labels or masks.

    Args:
        argument: Path, folder or glob pattern. The result for a folder includes vector files and predicted masks, which
            :func:`list_scenes` omits.

    Returns:
        The paths, sorted by name.

    Raises:
        DataError: If a folder contains neither rasters nor vector files.
        SceneError: If no file matches a pattern.
    """
    if not Path(argument).is_dir():
        return list_scenes([argument])
    known = {*RASTER_SUFFIXES, *VECTOR_SUFFIXES}
    files = [
        str(path)
        for path in sorted(Path(argument).iterdir())
        if path.suffix.lower() in known and not path.name.startswith(".")
    ]
    if not files:
        raise DataError(f"the folder {argument} contains neither rasters nor polygons", "check the path")
    return files


def scene_name(path: Path) -> str:
    """Return the scene name of a file: the stem without endings such as ``_mask`` and ``_label``."""
    return NAME_ENDING.sub("", path.stem) or path.stem


def match_by_name(files: Sequence[Path], candidates: Iterable[Path], *, folder: str | Path, kind: str) -> list[Path]:
    """Find, for each file, the candidate that belongs to the same scene according to :func:`scene_name`.

    Args:
        files: Files to match.
        candidates: Files to choose from; if several have the same scene name, the first is used.
        folder: Folder that contains the candidates, for error messages.
        kind: Description of a candidate, such as ``label``, for error messages.

    Returns:
        One candidate for each file.

    Raises:
        DataError: If there is no candidate for a file.
    """
    by_name: dict[str, Path] = {}
    for path in candidates:
        by_name.setdefault(scene_name(path), path)
    for file in files:
        if scene_name(file) not in by_name:
            raise DataError(f"{folder} has no {kind} for {file.name}", did_you_mean(scene_name(file), by_name))
    return [by_name[scene_name(file)] for file in files]
