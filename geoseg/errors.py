"""Every error geoseg raises on purpose: one sentence that says what is wrong, and one hint that says what to do.

GeosegError
├── ConfigError     a recipe, an option or the name of a part is wrong
├── SceneError      a raster cannot be read, or is not what was asked for
│   └── GridMismatch    two rasters do not lie on the same grid
├── LayerError      a vector file cannot be read or written
├── BundleError     a model file is damaged, or does not suit the scene
├── DataError       training data is missing, unlabelled or contradicts itself
└── OutputError     a result cannot be written where it was asked for
"""

import difflib
from collections.abc import Iterable


class GeosegError(Exception):
    """Something the user can put right: ``message`` says what is wrong (with its value), ``hint`` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["GeosegError"], tuple[str, str]]:
        """An error that comes from another process keeps its hint."""
        return type(self), (self.message, self.hint)


class ConfigError(GeosegError):
    """A recipe, an option or the name of a part is wrong."""


class SceneError(GeosegError):
    """A raster cannot be read, or is not what was asked for."""


class GridMismatch(SceneError):
    """Two rasters that should lie on the same grid do not."""


class LayerError(GeosegError):
    """A vector file cannot be read or written."""


class BundleError(GeosegError):
    """A model file is damaged, or does not suit the scene."""


class DataError(GeosegError):
    """Training data is missing, unlabelled, or contradicts itself."""


class OutputError(GeosegError):
    """A result cannot be written where it was asked for."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a word nobody knows: the nearest known word, else all of them."""
    choices = sorted(known)
    nearest = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if nearest:
        return f"did you mean {nearest[0]}?"
    return f"known are: {', '.join(choices)}" if choices else "nothing of this kind is known"
