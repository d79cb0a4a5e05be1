"""Stop commands with SIGINT, SIGTERM and SIGHUP; the same command again gives the undisturbed result."""

import signal
from collections.abc import Iterator

from .calls import Session
from .campaign_kills import interrupt_all
from .faults import Record
from .sandbox import Sandbox

NAME = "signals"
DESCRIPTION = "SIGINT, SIGTERM, SIGHUP at random moments of the same commands; then the same command again"
DEFAULT_INPUTS = 5
"""Number of signals of each kind and command."""

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def sessions(sandbox: Sandbox, record: Record, limit: int) -> Iterator[Session]:
    """Yield a session per command and signal."""
    yield from interrupt_all(sandbox, record, SIGNALS, limit)
