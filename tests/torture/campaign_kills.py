"""Kill predict, polygonize, prepare and train at random moments; the same command again gives the undisturbed result."""

import signal
from collections.abc import Iterator

from .calls import Session
from .faults import Record
from .fork_server import run_in_fork
from .interruptible import commands, write_inputs
from .interruptions import Interruptions
from .sandbox import Sandbox

NAME = "kills"
DESCRIPTION = "SIGKILL at random moments of predict, polygonize, prepare, train; then the same command again"
DEFAULT_INPUTS = 25
"""Number of kills of each command."""


def sessions(sandbox: Sandbox, record: Record, limit: int) -> Iterator[Session]:
    """Yield a session per command."""
    yield from interrupt_all(sandbox, record, [signal.SIGKILL], limit)


def interrupt_all(sandbox: Sandbox, record: Record, signals: list[signal.Signals], count: int) -> Iterator[Session]:
    """Yield a session per command and signal."""
    run_in_fork(lambda: write_inputs(sandbox.inputs))
    sandbox.watch()
    for number in signals:
        for command in commands(sandbox):
            yield Interruptions(sandbox, record, command, number, count).session()
