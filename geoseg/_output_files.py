"""Output files: they are checked before any work starts, written with a temporary name, and renamed once complete.

This module also defines the file extensions that geoseg accepts.
"""

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from geoseg.errors import OutputError

RASTER_SUFFIXES = (".tif", ".tiff", ".jp2", ".img", ".png", ".jpg", ".jpeg")
"""Extensions of rasters in a folder of scenes. Virtual rasters are excluded because they usually refer to files in the
same folder."""

VRT_SUFFIX = ".vrt"
"""Extension of GDAL's virtual rasters."""

VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json", ".fgb", ".shp", ".parquet")
"""Extensions of vector files used as labels or results; a GeoPackage may contain a raster instead."""

LAYER_SUFFIXES = (".gpkg", ".parquet", ".fgb", ".geojson", ".json", ".shp", ".gml", ".kml")
"""Extensions of vector files that can be read as a polygon layer; a GeoPackage may contain a raster instead."""

RECIPE_SUFFIXES = (".yaml", ".yml")
"""Extensions of recipes."""

MODEL_SUFFIXES = (".safetensors",)
"""Extensions of bundles."""

DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PERMISSION_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Numbers of operating system errors that require more disk space, or different permissions."""

UNSAFE_CHARACTERS = re.compile(r"[\x00-\x1f;&?|<>\"'\\]")
"""Characters that temporary file names must not contain."""

PIPE_HINT = "write the data to a regular file first"
"""What to do with a named pipe, which cannot be read in parts."""


def temporary_path(path: Path, purpose: str = "part") -> Path:
    """Return the hidden path to which an output is written before it is complete.

    It is in the same folder, so that renaming is atomic, and has the same extension. It is always the same for a given
    path, so that the next run overwrites the file of a run that was killed.
    """
    name = path.name
    if UNSAFE_CHARACTERS.search(name):  # GDAL drops some characters, such as line breaks, and the name after others
        name = f"{UNSAFE_CHARACTERS.sub('_', name)}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
    return path.with_name(f".{name}.{purpose}{path.suffix}")


@contextlib.contextmanager
def atomic_path(path: Path, *, temporary: Path | None = None, fsync: bool = False) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` if the block exits without an error, and is deleted otherwise.

    Args:
        path: The target; an existing file is replaced.
        temporary: The path to write to, in the same folder; by default, :func:`temporary_path`.
        fsync: Whether to flush the content to disk before renaming, so that a power failure cannot leave an empty file
            with the final name.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     target = Path(folder) / "scores.json"
        ...     with atomic_path(target) as temporary:
        ...         _ = temporary.write_text("{}")
        ...     print([file.name for file in Path(folder).iterdir()])
        ['scores.json']
    """
    part = temporary_path(path) if temporary is None else temporary
    try:
        yield part
        if fsync:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        remove_files(part)


def path_exists(path: str | Path) -> bool:
    """Return whether a file or folder exists; False for text that is too long to be a path."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def is_pipe(path: str | Path) -> bool:
    """Report whether a path is a named pipe, which blocks when opened until another program writes to it."""
    try:
        return Path(path).is_fifo()
    except (OSError, ValueError):
        return False


def check_writable(path: str | Path, overwrite: bool) -> None:
    """Check, before any work starts, that ``path`` can be written later.

    Args:
        path: The file to write.
        overwrite: True if an existing file may be replaced.

    Raises:
        OutputError: If the path is a folder, its parent folder does not exist or is not writable, or the file exists.
    """
    path = Path(path)
    with output_errors(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder", "give the path of a file in it")
        if not path.parent.is_dir():
            raise OutputError(f"the folder {path.parent} does not exist", f"create it first: mkdir -p '{path.parent}'")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already", "choose a different name, or use --overwrite to replace it")
        # Permission bits are unreliable for root, on network drives and on full disks; creating a file is reliable.
        probe = temporary_path(path, "probe")
        probe.touch()
        probe.unlink()


def require_distinct(paths: Iterable[str | Path]) -> None:
    """Raise :class:`OutputError` if two outputs have the same path."""
    absolute = [Path(path).absolute() for path in paths]
    if len(set(absolute)) < len(absolute):
        raise OutputError("two results have the same path", "give each result a different name")


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Convert an ``OSError`` that is raised while ``path`` is written to an :class:`OutputError`."""
    try:
        yield
    except OSError as error:
        reason = next(iter(str(error.strerror or error.__cause__ or error).splitlines()), "unknown error")
        raise OutputError(f"{path} cannot be written: {reason}", hint_for_write_error(error, reason)) from error


def hint_for_write_error(error: BaseException, reason: str) -> str:
    """Return a hint on how to fix an error in writing a file, based on the number of the error or on its text.

    Args:
        error: The error raised by the operating system or a library.
        reason: Its text.
    """
    number, text = getattr(error, "errno", None), reason.lower()
    if number in DISK_FULL_ERRNOS or any(phrase in text for phrase in ("no space left", "disk is full", "quota")):
        return "free some space on its disk, or choose another folder"
    if number in PERMISSION_ERRNOS or any(word in text for word in ("permission", "read-only", "readonly")):
        return "check the permissions of the folder, or choose another one"
    if number == errno.ENAMETOOLONG:
        return "use a shorter file name"
    return "check the permissions of the folder and the free space on its disk"


def remove_files(*paths: Path) -> None:
    """Delete files that exist; ignore errors, because this runs after another error."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
