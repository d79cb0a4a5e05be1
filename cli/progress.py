"""Show progress on stderr: as a tqdm bar in a terminal, or as one line per minute in log files."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, TextIO

from geoseg.progress import Progress, Task, silent, tqdm_progress

from . import console

SECONDS_PER_LINE = 60.0
"""Seconds between two lines in a log file."""


def current_progress() -> Progress:
    """Return how to show progress: as bars in a terminal, as lines in a file, or not at all with ``--quiet``."""
    if console.is_quiet():
        return silent
    return tqdm_progress if sys.stderr.isatty() else _print_lines


def _print_lines(total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
    return ProgressLines(total, description, sys.stderr, done=done)


class ProgressLines:
    """A task that prints one line per minute, for log files."""

    def __init__(
        self,
        total: int,
        description: str,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        *,
        done: int = 0,
    ) -> None:
        self.total, self.description, self.stream, self.clock = total, description, stream, clock
        self.done = self.initial = done
        self.note = ""
        self.started = self.printed = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count ``steps``, and print a line if the last one was printed at least a minute ago."""
        self.done += steps
        self.note = note or self.note
        now = self.clock()
        if now - self.printed >= SECONDS_PER_LINE:
            self.printed = now
            self.stream.write(f"{self.line(now - self.started)}\n")
            self.stream.flush()

    def line(self, seconds: float) -> str:
        """Return the line to print after ``seconds`` seconds."""
        from tqdm import tqdm

        text: str = tqdm.format_meter(
            self.done,
            max(self.total, self.done),
            seconds,
            prefix=self.description,
            bar_format="{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]",
            postfix=self.note,
            initial=self.initial,
        )
        return text


def format_duration(seconds: float) -> str:
    """Format seconds as ``0:07``, ``12:30`` or ``3:05:00``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
