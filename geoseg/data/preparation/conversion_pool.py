"""Many scenes converted side by side: room on disk checked first, two processes, one run at a time per folder."""

import contextlib
import logging
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from geoseg._files import output_errors
from geoseg.data.preparation.convert_scene import Job, Record, convert
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import OutputError
from geoseg.progress import NOTICE

try:
    import fcntl
except ImportError:  # Windows: two runs at once there convert the same scenes twice, and nothing worse
    fcntl = None  # type: ignore[assignment]

PROCESSES = 2
WORTH_PROCESSES = 100_000_000
"""Pixels from which on starting processes, a second or two each, pays."""
LOCK = Path("records", ".lock")
"""A file in a prepared folder that is held while scenes are converted; it stays, and marks the folder as ours."""
SPARE = 1.02
"""Disk space asked for, as a multiple of the pixels' bytes: headers, records, cells."""

GUARD = "a script begins its work under: if __name__ == '__main__':"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Room:
    """What converting takes."""

    pixels: int
    """Pixels of all images."""
    size: int
    """Bytes of the files, if nothing is compressed."""

    @classmethod
    def of(cls, scenes: Sequence[PreparedScene], bands: int, dtype: str) -> "Room":
        """The room for scenes of known sizes."""
        pixels = [scene.height * scene.width for scene in scenes]
        each = bands * np.dtype(dtype).itemsize + 1  # validity
        size = sum(count * (each + scene.labelled) for count, scene in zip(pixels, scenes, strict=True))
        return cls(sum(pixels), size)

    def require(self, folder: Path, share: float = 1.0) -> None:
        """:class:`OutputError` unless the disk has this share of the room, now rather than after an hour."""
        free, size = shutil.disk_usage(folder).free, self.size * share
        if size * SPARE > free:
            raise OutputError(
                f"{size / 1e9:.1f} GB are needed in {folder}, and {free / 1e9:.1f} GB are free",
                "free some space, choose another folder, or compress (about half): --set data.compress=true",
            )


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other run converts into the folder. The system ends the wait if the other one is killed."""
    with output_errors(folder):
        file = _locked(folder)
    with file:
        try:
            yield
        finally:
            _remove_if_empty(folder)


def _locked(folder: Path) -> TextIO:
    """The folder's lock, held; it names the process that holds it."""
    path = folder / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("a+"))
        if fcntl is not None:
            _lock(file, folder)
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            stack.pop_all()
            return file
    return _locked(folder)  # who held it had nothing to keep, and removed the folder


def _lock(file: TextIO, folder: Path) -> None:
    """Waits for the lock, unless that would be for ever: a process that is to convert scenes imports the user's script
    first, and gets here if the script does its work while it is imported.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        if file.read() == str(os.getppid()):
            message = f"scenes are prepared in {folder} by the process that started this one"
            raise OutputError(message, GUARD) from None
        logger.log(NOTICE, "Another run prepares scenes in %s; waiting for it.", folder)
        fcntl.flock(file, fcntl.LOCK_EX)


def _remove_if_empty(folder: Path) -> None:
    """A folder without a single finished scene goes; parts of an unfinished one are gone already."""
    if not any((folder / "records").glob("*.json")):
        shutil.rmtree(folder, ignore_errors=True)


def all_converted(jobs: Sequence[Job], room: Room) -> Iterator[tuple[Job, Record]]:
    """Each job with its record, in the order in which they are done. An error ends what has not begun."""
    if room.pixels < WORTH_PROCESSES or len(jobs) < PROCESSES or (os.cpu_count() or 1) < PROCESSES:
        for job in jobs:
            yield job, convert(job)
        return
    left = {job.draft.stem: job for job in jobs}
    try:
        for job, record in _in_processes(jobs):
            del left[job.draft.stem]
            yield job, record
    except BrokenProcessPool:
        logger.warning("the processes that convert scenes ended; going on in this one (%s)", GUARD)
        for job in left.values():
            yield job, convert(job)


def _in_processes(jobs: Sequence[Job]) -> Iterator[tuple[Job, Record]]:
    # Spawned, not forked: a fork would inherit the locks of torch's and GDAL's threads, held for ever.
    pool = ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        running = {pool.submit(convert, job): job for job in jobs}
        for done in as_completed(running):
            yield running[done], done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ctrl-C reaches every process of the terminal; the first one ends the others in order, or is killed and they end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # it holds the lock no more: another run may write the same files
