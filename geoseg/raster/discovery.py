"""Which scenes a user means by a word: one, or all that a folder or a pattern (``tiles/*.tif``) holds."""

import glob
from collections.abc import Sequence
from pathlib import Path

from geoseg.errors import SceneError
from geoseg.raster.prediction_outputs import SHARES

SUFFIXES = (".tif", ".tiff", ".jp2", ".img", ".png", ".jpg", ".jpeg")
"""What counts as a scene in a folder. Virtual rasters do not: they mostly show what lies beside them once more."""

MASK_ENDING = "_mask"
"""How the names of masks end, before the suffix; a folder's masks are no scenes."""

RESULT_ENDINGS = (MASK_ENDING, *(f"_{name}" for name in SHARES), "_preview")
"""The same of all that is predicted."""


def means_several(words: Sequence[str]) -> bool:
    """True if the words may mean several scenes: they are several, or a folder, or a pattern."""
    return len(words) != 1 or Path(words[0]).is_dir() or _is_pattern(words[0])


def list_scenes(words: Sequence[str]) -> list[str]:
    """The scenes that the words mean, in their order, sorted by name inside folders and patterns, none twice.

    A word that is neither folder nor pattern is taken as it is: whether it is a scene shows when it is opened.
    :class:`SceneError` for a folder or a pattern without any.
    """
    return list(dict.fromkeys(path for word in words for path in _scenes_of(word)))


def _scenes_of(word: str) -> list[str]:
    if Path(word).is_dir():
        paths = [str(path) for path in sorted(Path(word).iterdir()) if _is_scene(path)]
        missing = f"the folder {word} holds no scenes", f"files there would end in {', '.join(SUFFIXES)}"
    elif _is_pattern(word):
        paths = sorted(path for path in glob.glob(word, recursive=True) if Path(path).is_file())  # noqa: PTH207  (as typed)
        missing = f"no file fits {word}", "check the path"
    else:
        return [word]
    if not paths:
        raise SceneError(*missing)
    return paths


def _is_scene(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and not path.stem.endswith(RESULT_ENDINGS)


def _is_pattern(word: str) -> bool:
    is_local = "://" not in word and not word.startswith("/vsi")
    return is_local and any(sign in word for sign in "*?[") and not Path(word).exists()
