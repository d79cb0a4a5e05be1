"""Create, lock and resume the folder of a training run; ``runs/latest`` links to the newest run with a bundle."""

import logging
import os
import re
import shutil
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from geoseg._output_files import atomic_path, output_errors, temporary_path
from geoseg.bundle import LATEST_NAME
from geoseg.config.recipe import Recipe
from geoseg.errors import BundleError, GeosegError, OutputError
from geoseg.progress import NOTICE
from geoseg.training.checkpoint import CHECKPOINT_NAME, Checkpoint
from geoseg.training.loggers import METRICS_NAME, read_metrics
from geoseg.training.run_name import check_run_name

try:
    import fcntl
except ImportError:  # Windows: an active training run cannot be distinguished from a killed one
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
INITIAL_FILES = {LOCK_NAME, "recipe.yaml", "log", temporary_path(Path(CHECKPOINT_NAME)).name}
"""Names of files in a run folder before its first checkpoint, which is written before the first step."""

logger = logging.getLogger(__name__)


class RunFolder:
    """The folder of a run, locked by this process until the ``with`` block ends or the process is killed.

    In distributed training, only the main process holds the lock.

    Args:
        folder: Path of the folder.
        lock: Open lock file, or None in processes other than the main process.
        checkpoint: Checkpoint to resume from, or None for a new run.
    """

    def __init__(self, folder: Path, lock: TextIO | None, checkpoint: Checkpoint | None = None) -> None:
        self.folder = folder
        self.checkpoint = checkpoint
        """Checkpoint to resume from; None for a new run."""
        self._lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock; remove the folder if the run failed before it produced any result."""
        if self._lock is None:
            return
        if error is not None and _has_no_result(self.folder):
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def open_run_folder(
    runs: Path, name: str, recipe: Recipe, data: str, *, resume: bool = False, fresh: bool = False
) -> RunFolder:
    """Open the folder of a run: resume the newest interrupted run with this name, or create a new folder.

    Args:
        runs: Parent folder of runs.
        name: Name of the run. If the folder exists, ``name-2``, ``name-3``, ... is used.
        recipe: The recipe. Only a run with the same recipe and data is resumed.
        data: Digest of the prepared dataset.
        resume: Require an interrupted run.
        fresh: Always create a new folder.

    Raises:
        ConfigError: If the name is invalid, or (with ``resume``) the recipe has changed.
        DataError: If (with ``resume``) the data has changed.
        BundleError: If (with ``resume``) there is no interrupted run, or its checkpoint is corrupted.
        OutputError: If the folder cannot be created.
    """
    check_run_name(runs, name)
    if not fresh:
        interrupted = _find_interrupted(runs, name, recipe, data, strict=resume)
        if interrupted is not None:
            return interrupted
    if resume:
        _refuse_running(runs, name)
        raise BundleError(f"{runs} has no interrupted run {name}", "run the command without --resume")
    return _create(runs, name)


def _refuse_running(runs: Path, name: str) -> None:
    """Raise :class:`BundleError` if the newest run with this name is running in another process."""
    for folder in reversed(_list_runs(runs, name)):
        lock = _lock(folder)
        if lock is None:
            raise BundleError(
                f"{folder} is being trained by another process", "wait for it, or use --fresh to start a new run"
            )
        lock.close()
        return


def _find_interrupted(runs: Path, name: str, recipe: Recipe, data: str, *, strict: bool) -> RunFolder | None:
    """Find the newest resumable run with this name, recipe and data."""
    for folder in reversed(_list_runs(runs, name)):
        lock = _lock(folder) if (folder / CHECKPOINT_NAME).is_file() else None
        if lock is None:
            continue
        try:
            checkpoint = _load_checkpoint(folder, recipe, data)
        except GeosegError as error:
            lock.close()
            if strict:
                raise
            logger.log(NOTICE, "%s is not resumed: %s.", folder, error.message)
            continue
        if checkpoint is not None and not checkpoint.finished:
            return RunFolder(folder, lock, checkpoint)
        lock.close()
        if checkpoint is not None and not strict:
            return None  # the same run is complete: start a new one
    return None


def _load_checkpoint(folder: Path, recipe: Recipe, data: str) -> Checkpoint | None:
    """Load the checkpoint of a run; None if the run is complete and used a different recipe or different data."""
    checkpoint = Checkpoint.load(folder)
    try:
        checkpoint.require_same(recipe, data)
    except GeosegError:
        if checkpoint.finished:
            return None
        raise
    return checkpoint


def _list_runs(runs: Path, name: str) -> list[Path]:
    """List the folders of runs with this name, oldest first."""
    pattern = re.compile(re.escape(name) + r"(?:-(\d+))?")
    matches = [(pattern.fullmatch(folder.name), folder) for folder in (runs.iterdir() if runs.is_dir() else ())]
    numbered = [(int(match[1] or 1), folder) for match, folder in matches if match and folder.is_dir()]
    return [folder for _, folder in sorted(numbered)]


def _candidate_folders(runs: Path, name: str) -> Iterator[Path]:
    number = 1
    while True:
        yield runs / (name if number == 1 else f"{name}-{number}")
        number += 1


def _create(runs: Path, name: str) -> RunFolder:
    """Create a new folder, or reuse one whose run was killed before its first checkpoint."""
    for folder in _candidate_folders(runs, name):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir() or {path.name for path in folder.iterdir()} - INITIAL_FILES:
                continue
        except OSError as error:
            raise OutputError(f"cannot create {folder}: {error.strerror}", "use another folder: --runs DIR") from error
        lock = _lock(folder)
        if lock is not None:
            return RunFolder(folder, lock)
    raise AssertionError("unreachable: candidate names are unlimited")


def _has_no_result(folder: Path) -> bool:
    """Return whether a run has no bundle, no log rows, and no completed steps in its checkpoint."""
    if any(folder.glob("*.safetensors")) or read_metrics(folder / "log" / METRICS_NAME):
        return False
    try:
        return not (folder / CHECKPOINT_NAME).exists() or Checkpoint.load(folder).state.iteration == 0
    except BundleError:
        return False


def _lock(folder: Path) -> TextIO | None:
    """Lock a folder; return None if another process holds the lock."""
    with output_errors(folder):
        file = (folder / LOCK_NAME).open("w")
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:  # some network drives do not support locks
            logger.debug("%s cannot be locked: %s", folder, error)
        _close_in_forks(file)
    return file


def _close_in_forks(file: TextIO) -> None:
    """Close the lock file in forked workers, which can outlive this process by several seconds if it is killed."""
    reference = weakref.ref(file)

    def close() -> None:
        copy = reference()
        if copy is not None:
            copy.close()

    os.register_at_fork(after_in_child=close)


def update_latest_link(folder: Path) -> None:
    """Atomically make ``latest`` point to a run folder: as a link, or as a text file if links are not supported."""
    latest = folder.parent / LATEST_NAME
    temporary = folder.parent / f".{LATEST_NAME}.{folder.name}.part"
    with output_errors(latest), atomic_path(latest, temporary=temporary):
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(folder.name)
        except OSError:
            temporary.write_text(folder.name, "utf-8")
