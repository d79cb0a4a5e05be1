"""Convert many scenes in two processes, after checking disk space; runs that use the same folder wait for each other."""

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
from typing import Self, TextIO

import numpy as np

from geoseg._output_files import output_errors
from geoseg.data.preparation.conversion_record import ConversionRecord
from geoseg.data.preparation.convert_scene import SceneConversion, convert_scene
from geoseg.data.preparation.prepared_dataset import PreparedScene
from geoseg.errors import OutputError
from geoseg.progress import NOTICE

try:
    import fcntl
except ImportError:  # on Windows, two concurrent runs convert the same scenes twice, which is harmless
    fcntl = None  # type: ignore[assignment]

PROCESS_COUNT = 2
MIN_PIXELS_FOR_PROCESSES = 100_000_000
"""Minimum number of pixels for which starting worker processes (one or two seconds each) pays off."""
LOCK_FILE = Path("records", ".lock")
"""File in a prepared folder that is locked during conversion. It is kept, and marks the folder as prepared by geoseg."""
DISK_MARGIN = 1.02
"""Required disk space as a multiple of the uncompressed size, to allow for headers, records and class locations."""

MAIN_GUARD_HINT = "put the main code of a script under: if __name__ == '__main__':"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiskSpace:
    """The disk space required for a conversion."""

    pixels: int
    """Number of pixels in all images."""
    size: int
    """Size of all files in bytes, without compression."""

    @classmethod
    def estimate(cls, scenes: Sequence[PreparedScene], bands: int, dtype: str) -> Self:
        """Estimate the space required for the images, validity masks and class masks of scenes whose sizes are known."""
        pixels = [scene.height * scene.width for scene in scenes]
        bytes_per_pixel = bands * np.dtype(dtype).itemsize + 1  # 1: validity mask
        size = sum(count * (bytes_per_pixel + scene.labelled) for count, scene in zip(pixels, scenes, strict=True))
        return cls(sum(pixels), size)

    def require(self, folder: Path, share: float = 1.0) -> None:
        """Check that the disk that contains a folder has enough free space.

        Args:
            folder: Folder to write to.
            share: Required space as a fraction of the uncompressed size.

        Raises:
            OutputError: If there is not enough free space.
        """
        free, size = shutil.disk_usage(folder).free, self.size * share
        if size * DISK_MARGIN > free:
            raise OutputError(
                f"{size / 1e9:.1f} GB are needed in {folder}, but only {free / 1e9:.1f} GB are free",
                "free some space, choose a different folder, or halve the space with --set data.compress=true",
            )


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock on a prepared folder, after waiting for any other run that holds it.

    The operating system releases the lock of a process that is killed.

    Raises:
        OutputError: If the folder cannot be written, or the parent process holds the lock.
    """
    with output_errors(folder):
        file = _acquire_lock(folder)
    with file:
        try:
            yield
        finally:
            _remove_if_empty(folder)


def _acquire_lock(folder: Path) -> TextIO:
    """Return the locked file, which contains the ID of the process that holds the lock."""
    path = folder / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("a+"))
        if fcntl is not None:
            _wait_for_lock(file, folder)
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            stack.pop_all()
            return file
    return _acquire_lock(folder)  # the previous holder did not finish any scene and removed the folder


def _wait_for_lock(file: TextIO, folder: Path) -> None:
    """Wait for the lock, or raise an error if waiting would cause a deadlock.

    A spawned worker process first imports the user's script. If the script starts its work on import, the worker
    reaches this point while its parent holds the lock and waits for the worker.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        if file.read() == str(os.getppid()):
            message = f"the process that started this one is already preparing scenes in {folder}"
            raise OutputError(message, MAIN_GUARD_HINT) from None
        logger.log(NOTICE, "Another run is preparing scenes in %s; waiting for it.", folder)
        fcntl.flock(file, fcntl.LOCK_EX)


def _remove_if_empty(folder: Path) -> None:
    """Delete a folder that contains no finished scene; partial files of unfinished scenes have already been deleted."""
    if not any((folder / "records").glob("*.json")):
        shutil.rmtree(folder, ignore_errors=True)


def convert_all(
    conversions: Sequence[SceneConversion], space: DiskSpace
) -> Iterator[tuple[SceneConversion, ConversionRecord]]:
    """Convert scenes, in two processes if there is enough work.

    Yields:
        Each conversion with its record, in order of completion. After an error, no further conversions start.
    """
    if (
        space.pixels < MIN_PIXELS_FOR_PROCESSES
        or len(conversions) < PROCESS_COUNT
        or (os.cpu_count() or 1) < PROCESS_COUNT
    ):
        for conversion in conversions:
            yield conversion, convert_scene(conversion)
        return
    pending = {conversion.draft.stem: conversion for conversion in conversions}
    try:
        for conversion, record in _convert_in_processes(conversions):
            del pending[conversion.draft.stem]
            yield conversion, record
    except BrokenProcessPool:
        logger.warning(
            "the conversion processes have ended unexpectedly; continuing in this process (%s)", MAIN_GUARD_HINT
        )
        for conversion in pending.values():
            yield conversion, convert_scene(conversion)


def _convert_in_processes(
    conversions: Sequence[SceneConversion],
) -> Iterator[tuple[SceneConversion, ConversionRecord]]:
    # Spawned, not forked: a forked process inherits locks that torch or GDAL threads may hold, and would wait forever.
    pool = ProcessPoolExecutor(PROCESS_COUNT, mp_context=multiprocessing.get_context("spawn"), initializer=_init_worker)
    try:
        running = {pool.submit(convert_scene, conversion): conversion for conversion in conversions}
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _init_worker() -> None:
    """Ignore SIGINT, which the terminal also sends to the parent, and exit when the parent exits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # the parent's lock has been released, so another run may write the same files
