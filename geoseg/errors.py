"""geoseg's exceptions, each with a message (what is wrong) and a hint (how to fix it).

GeosegError
├── ConfigError     invalid recipe, option or component name
├── SceneError      a raster cannot be read or does not fit the request
│   └── GridMismatch    two rasters are not on the same grid
├── LayerError      a vector file cannot be read or written
├── BundleError     a model file is corrupted or does not fit the scene
├── DataError       training data is missing, unlabeled or inconsistent
└── OutputError     a result cannot be written

GeosegWarning       deprecated spellings
"""


class GeosegError(Exception):
    """Base class for all errors that the user can fix.

    Args:
        message: What is wrong, with the offending value or file.
        hint: How to fix it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["GeosegError"], tuple[str, str]]:
        """Keep the hint when the error is pickled, for example by a worker process."""
        return type(self), (self.message, self.hint)


class ConfigError(GeosegError):
    """Invalid recipe, option or component name."""


class SceneError(GeosegError):
    """A raster cannot be read or does not fit the request."""


class GridMismatch(SceneError):
    """Two rasters that must be on the same grid are not."""


class LayerError(GeosegError):
    """A vector file cannot be read or written."""


class BundleError(GeosegError):
    """A model file is corrupted or does not fit the scene."""


class DataError(GeosegError):
    """Training data is missing, unlabeled or inconsistent."""


class OutputError(GeosegError):
    """A result cannot be written."""


class GeosegWarning(FutureWarning):
    """A deprecated spelling, which is still accepted but will be rejected in the next release."""
