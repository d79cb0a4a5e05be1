"""Stop a training run on SIGTERM or Ctrl-C, after finishing the current step and saving a checkpoint."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from geoseg.errors import GeosegError


class TrainingInterrupted(GeosegError):
    """Training stopped after a signal; a checkpoint was saved."""

    def __init__(self, run: Path, iteration: int, number: int) -> None:
        super().__init__(
            f"training stopped after iteration {iteration}; the checkpoint is in {run}",
            "run the same command to resume",
        )
        self.signal = number
        """Signal number."""


class StopRequest:
    """The signal that was received, if any."""

    def __init__(self) -> None:
        self.signal = 0
        """Signal number; 0 if none was received."""


@contextmanager
def catch_signals() -> Iterator[StopRequest]:
    """Record SIGTERM and Ctrl-C inside the ``with`` block; a second Ctrl-C raises KeyboardInterrupt immediately."""
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():  # Python delivers signals to the main thread only
        yield stop
        return

    def record(number: int, _frame: FrameType | None) -> None:
        if stop.signal and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal = int(number)

    before = {number: signal.signal(number, record) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
