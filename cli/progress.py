"""Draws what the library's ``Progress`` reports: one line on stderr, and only for work of more than two seconds."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ClassVar, Self, TextIO

from geoseg.progress import Progress, Task, silent

from . import talk

PATIENCE = 2.0
"""Seconds before a bar appears."""
PAUSE = 0.1
"""Seconds between two drawings."""
BAR = 12
"""Characters of a full bar."""


def bars() -> Progress:
    """Progress for the running command: bars on a terminal, else (or with ``--quiet``) silence."""
    return silent if talk.is_quiet() or not sys.stderr.isatty() else _begin


def _begin(total: int, description: str) -> AbstractContextManager[Task]:
    return Bar(total, description, sys.stderr)


class Bar:
    """One task on one line: share, bar, count, rate, time left, note."""

    running: ClassVar[list["Bar"]] = []
    """Bars begun and not ended, outermost first; an inner one vanishes when it ends."""

    def __init__(
        self, total: int, description: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.total = total
        self.description = description
        self.stream = stream
        self.clock = clock
        self.done = 0
        self.note = ""
        self.started = self.drawn = clock()
        self.is_visible = False

    def __enter__(self) -> Self:
        Bar.running.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Bar.running.remove(self)
        if self.is_visible:
            last_word = "" if Bar.running or error else f"{self.description}: {clock_face(self._seconds())}\n"
            self._write(f"{talk.CLEAR_LINE}{last_word}")

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Counts steps and draws, unless it is too early or the last drawing is fresh."""
        self.done += steps
        self.note = note or self.note
        now = self.clock()
        if now - self.started >= PATIENCE and (now - self.drawn >= PAUSE or self.done >= self.total):
            self.drawn = now
            self.is_visible = True
            width = shutil.get_terminal_size().columns - 1
            self._write(f"{talk.CLEAR_LINE}{self.line()[:width]}")

    def line(self) -> str:
        """The bar as text."""
        share = min(self.done / self.total, 1.0) if self.total else 1.0
        full = int(share * BAR)
        rate = self.done / max(self._seconds(), 1e-9)
        left = clock_face((self.total - self.done) / rate) if rate and self.done < self.total else "0:00"
        bar = f"[{'#' * full}{'.' * (BAR - full)}]"
        parts = [
            self.description,
            f"{share:4.0%}",
            bar,
            f"{self.done}/{self.total}",
            pace(rate),
            f"{left} left",
            self.note,
        ]
        return "  ".join(part for part in parts if part)

    def _seconds(self) -> float:
        return self.clock() - self.started

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def clock_face(seconds: float) -> str:
    """``0:07``, ``12:30`` or ``3:05:00``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def pace(rate: float) -> str:
    """Steps per second, or seconds per step for slow work."""
    if rate >= 1:
        return f"{rate:.{0 if rate >= 10 else 1}f}/s"
    return f"{1 / rate:.1f} s each" if rate > 0 else ""
