"""A run's folder: one per training run, never shared, with ``runs/latest`` pointing to the newest that has a bundle."""

import logging
import os
import re
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from geoseg._files import output_errors, part_path, remove
from geoseg.bundle import LATEST
from geoseg.config.recipe import Recipe
from geoseg.errors import BundleError, ConfigError, GeosegError, OutputError
from geoseg.progress import NOTICE
from geoseg.training.checkpoint import NAME, Checkpoint
from geoseg.training.loggers import METRICS, read

try:
    import fcntl
except ImportError:  # Windows: there a run that is at work is not told from one that was killed
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
BEGINNING = {LOCK, "recipe.yaml", "log", part_path(Path(NAME)).name}
"""What a run's folder may hold before its first checkpoint, which is written before the first step."""

logger = logging.getLogger(__name__)


class Run:
    """A run's folder, held by this process until the ``with`` block ends. The system lets go when the process is killed.

    Processes that train together share the run of the first of them; the others hold no lock.
    """

    def __init__(self, folder: Path, lock: TextIO | None, checkpoint: Checkpoint | None = None) -> None:
        self.folder = folder
        self.checkpoint = checkpoint
        """What to go on from; None for a new run."""
        self._lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets go; a run that failed before it had anything to show leaves nothing behind."""
        if self._lock is None:
            return
        if error is not None and _came_to_nothing(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def open_run(runs: Path, name: str, recipe: Recipe, data: str, *, resume: bool = False, fresh: bool = False) -> Run:
    """The folder of a run called ``name`` below ``runs``: ``name``, or ``name-2``, ``name-3`` … if that is taken.

    The newest run of this name with the same recipe and data goes on if it was interrupted, unless ``fresh``. With
    ``resume`` there must be one that was interrupted, and :class:`GeosegError` says why it cannot go on: recipe or data
    have changed, or its checkpoint is damaged. :class:`ConfigError` if the name is no plain one: ``latest`` points to
    folders beside it.
    """
    if name == LATEST or name in (".", "..") or set(name) & set("/\\"):
        raise ConfigError(f"{name!r} is no name for a run", f"give a plain one, other than {LATEST!r}: --name NAME")
    latest = runs / LATEST
    if latest.is_dir() and not latest.is_symlink():
        raise OutputError(
            f"{latest} is a folder, where geoseg keeps a link", "rename it, or choose another: --runs DIR"
        )
    if not fresh:
        interrupted = _interrupted(runs, name, recipe, data, strict=resume)
        if interrupted is not None:
            return interrupted
    if resume:
        _refuse_running(runs, name)
        raise BundleError(f"{runs} has no interrupted run called {name}", "start it without --resume")
    return _new(runs, name)


def _refuse_running(runs: Path, name: str) -> None:
    """:class:`BundleError` if the newest run of this name is at work in another process."""
    for folder in reversed(_existing(runs, name)):
        lock = _held(folder)
        if lock is None:
            raise BundleError(f"{folder} is being trained by another process", "wait for it, or start another: --fresh")
        lock.close()
        return


def _interrupted(runs: Path, name: str, recipe: Recipe, data: str, *, strict: bool) -> Run | None:
    """The newest run of this name with this recipe and data, if it can go on."""
    for folder in reversed(_existing(runs, name)):
        lock = _held(folder) if (folder / NAME).is_file() else None
        if lock is None:
            continue
        try:
            checkpoint = _checkpoint(folder, recipe, data)
        except GeosegError as error:
            lock.close()
            if strict:
                raise
            logger.log(NOTICE, "%s is left as it is: %s.", folder, error.message)
            continue
        if checkpoint is not None and not checkpoint.finished:
            return Run(folder, lock, checkpoint)
        lock.close()
        if checkpoint is not None and not strict:
            return None  # the same run came to its end: another one is wanted
    return None


def _checkpoint(folder: Path, recipe: Recipe, data: str) -> Checkpoint | None:
    """That of a run; None if it ended with another recipe or other data, and an error if it was interrupted with such."""
    checkpoint = Checkpoint.load(folder)
    try:
        checkpoint.require_same(recipe, data)
    except GeosegError:
        if checkpoint.finished:
            return None
        raise
    return checkpoint


def _existing(runs: Path, name: str) -> list[Path]:
    """Folders of runs of this name, oldest first."""
    pattern = re.compile(re.escape(name) + r"(?:-(\d+))?")
    found = [(pattern.fullmatch(folder.name), folder) for folder in (runs.iterdir() if runs.is_dir() else ())]
    numbered = [(int(match[1] or 1), folder) for match, folder in found if match and folder.is_dir()]
    return [folder for _, folder in sorted(numbered)]


def _names(runs: Path, name: str) -> Iterator[Path]:
    number = 1
    while True:
        yield runs / (name if number == 1 else f"{name}-{number}")
        number += 1


def _new(runs: Path, name: str) -> Run:
    """A folder that was not there, or in which a run was killed before its first checkpoint."""
    for folder in _names(runs, name):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir() or {path.name for path in folder.iterdir()} - BEGINNING:
                continue
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be made: {error.strerror}", "choose another folder: --runs DIR"
            ) from None
        lock = _held(folder)
        if lock is not None:
            return Run(folder, lock)
    raise AssertionError("names of runs do not end")


def _came_to_nothing(folder: Path) -> bool:
    """True for a run with neither a bundle, nor numbers in its log, nor steps in its checkpoint."""
    if any(folder.glob("*.safetensors")) or read(folder / "log" / METRICS):
        return False
    try:
        return not (folder / NAME).exists() or Checkpoint.load(folder).standing.iteration == 0
    except BundleError:
        return False


def _held(folder: Path) -> TextIO | None:
    """The lock of a folder, or None if another process has it."""
    with output_errors(folder):
        file = (folder / LOCK).open("w")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:  # some network drives know no locks
            logger.debug("%s cannot be locked: %s", folder, error)
        _close_in_forks(file)
    return file


def _close_in_forks(file: TextIO) -> None:
    """Processes forked from this one (they cut crops) hold no lock: they may outlive it by seconds when it is killed."""
    known = weakref.ref(file)

    def close() -> None:
        copy = known()
        if copy is not None:
            copy.close()

    os.register_at_fork(after_in_child=close)


def point_latest_to(folder: Path) -> None:
    """Makes ``latest`` beside the folder point to it, in one step: a link, or a text file where links are not allowed."""
    latest = folder.parent / LATEST
    part = folder.parent / f".{LATEST}.{folder.name}.part"
    try:
        with output_errors(latest):
            part.unlink(missing_ok=True)
            try:
                part.symlink_to(folder.name)
            except OSError:
                part.write_text(folder.name, "utf-8")
            part.replace(latest)
    finally:
        remove(part)
