"""Stopping a run in order: a signal lets the current step end, a checkpoint is written, and the same command goes on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from geoseg.errors import GeosegError


class Stopped(GeosegError):
    """A run ended early because it was told to; nothing is lost."""

    def __init__(self, run: Path, iteration: int, number: int) -> None:
        super().__init__(
            f"stopped after iteration {iteration}; {run} holds all that was done", "the same command goes on from there"
        )
        self.signal = number
        """Number of the signal that said so."""


class Stop:
    """Whether the run has been told to end."""

    def __init__(self) -> None:
        self.signal = 0
        """Number of the signal that said so; 0 if there was none."""


@contextmanager
def stopping() -> Iterator[Stop]:
    """SIGTERM and Ctrl-C ask for an end while the block runs; a second Ctrl-C does not wait for it."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():  # Python gives signals to the main thread alone
        yield stop
        return

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal = int(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
