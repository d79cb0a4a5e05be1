"""Draws what the library's ``Progress`` reports on stderr: one line that changes, or in log files a line a minute."""

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import ClassVar, Self, TextIO

from geoseg.progress import Progress, Task, silent

from . import talk

BAR = 12
"""Characters of a full bar."""


def bars() -> Progress:
    """Progress for the running command: a bar on a terminal, else lines; silence with ``--quiet``."""
    if talk.is_quiet():
        return silent
    return _bar if sys.stderr.isatty() else _lines


def _bar(total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
    return Bar(total, description, sys.stderr, done=done)


def _lines(total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
    return Lines(total, description, sys.stderr, done=done)


class Bar:
    """One task on one line: share, bar, count, rate, time left, note."""

    patience = 2.0
    """Seconds before it appears."""
    pause = 0.1
    """Seconds between two drawings."""
    running: ClassVar[list["Bar"]] = []
    """Bars begun and not ended, outermost first; an inner one vanishes when it ends."""

    def __init__(
        self,
        total: int,
        description: str,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        *,
        done: int = 0,
    ) -> None:
        self.total = total
        self.description = description
        self.stream = stream
        self.clock = clock
        self.done = self.before = done
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
        if now - self.started >= self.patience and (now - self.drawn >= self.pause or self.done >= self.total):
            self.drawn = now
            self.is_visible = True
            self._draw()

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write(f"{talk.CLEAR_LINE}{self.line(width)[:width]}")

    def line(self, width: int = 1000) -> str:
        """The bar as text; what matters least is left out where it does not fit into so many columns."""
        share = min(self.done / self.total, 1.0) if self.total else 1.0
        full = int(share * BAR)
        rate = (self.done - self.before) / max(self._seconds(), 1e-9)
        left = clock_face((self.total - self.done) / rate) if rate and self.done < self.total else "0:00"
        bar = f"[{'#' * full}{'.' * (BAR - full)}]"
        count = f"{self.done}/{self.total}"
        parts = [self.description, f"{share:4.0%}", bar, count, pace(rate), f"{left} left", self.note]
        for dispensable in (bar, pace(rate), parts[1]):
            if len(_joined(parts)) > width and dispensable in parts:
                parts.remove(dispensable)
        return _joined(parts)

    def _seconds(self) -> float:
        return self.clock() - self.started

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _joined(parts: list[str]) -> str:
    return "  ".join(part for part in parts if part)


class Lines(Bar):
    """The same in a file: a line a minute for work that takes longer."""

    patience = pause = 60.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Bar.running.remove(self)

    def _draw(self) -> None:
        self._write(f"{self.line()}\n")


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
