"""Writing results so that they appear whole or not at all: checked early, written beside the target, then renamed."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from geoseg.errors import OutputError


def part_path(path: Path, purpose: str = "part") -> Path:
    """Where a result is written before it is complete: hidden, beside the target, with the same suffix.

    On the same file system as the target, so that renaming is one step; of a fixed name, so that what a killed run left
    behind is overwritten by the next.
    """
    return path.with_name(f".{path.name}.{purpose}{path.suffix}")


def check_writable(path: str | Path, overwrite: bool) -> None:
    """:class:`OutputError` now rather than after an hour's work, if ``path`` could not be written at its end."""
    path = Path(path)
    with output_errors(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder", "name a file in it")
        if not path.parent.is_dir():
            raise OutputError(f"the folder {path.parent} does not exist", f"make it first: mkdir -p '{path.parent}'")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already", "give another name, or --overwrite to replace it")
        # Permission bits do not tell for root, on network drives or on full disks; a file does.
        probe = part_path(path, "probe")
        probe.touch()
        probe.unlink()


def require_distinct(paths: Iterable[str | Path]) -> None:
    """:class:`OutputError` if two results would become one file."""
    places = [Path(path).absolute() for path in paths]
    if len(set(places)) < len(places):
        raise OutputError("two results would become one file", "give each a name of its own")


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turns the system's complaints while writing ``path`` into an :class:`OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error.__cause__ or error}",
            "check that the folder is yours to write to and that its disk is not full",
        ) from error


def remove(*paths: Path) -> None:
    """Delete the files that are there, and say nothing of those that cannot be: something else has gone wrong already."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


VECTOR_SUFFIXES = {".gpkg", ".geojson", ".json", ".fgb", ".shp", ".parquet"}
"""Label files with these endings are drawn onto the image's grid."""
