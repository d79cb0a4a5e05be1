"""A call of the command line, its limits, and how it ended."""

import shlex
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Limits of the process of a call."""

    seconds: float = 30
    """CPU time; other programs may use the machine. The wall time is limited to four times this, plus 20 seconds."""
    memory_mb: int = 2500
    """Largest resident memory. The imported libraries alone take about 600 MB."""
    file_bytes: int | None = None
    """Largest size of a file that the process writes: writing fails from there on, as on a full disk."""
    user: int | None = None
    """User ID of the process; None for that of the caller."""


@dataclass(frozen=True)
class Interruption:
    """A signal that the process receives."""

    signal: int
    after: float
    """Wall time in seconds between the start of the call and the signal."""


@dataclass(frozen=True)
class Call:
    """One call of ``geoseg``."""

    label: str
    """Unique description of input and command."""
    arguments: tuple[str, ...]
    """Arguments after ``geoseg``."""
    folder: Path
    """Working directory. It is empty before the call, unless earlier calls left something there to resume from."""
    output: Path | None = None
    """File or folder that the call writes."""
    limits: Limits = field(default_factory=Limits)
    interruption: Interruption | None = None
    must_fail: bool = False
    """Whether success is a fault, because the input is invalid."""

    @property
    def command(self) -> str:
        """The command line, to be pasted into a shell in an empty folder; non-printable characters are escaped."""
        relative = [word.removeprefix(f"{self.folder}/") for word in self.arguments]
        words = [word if word.isprintable() else "$" + repr(word) for word in relative]
        quoted = [word if word.startswith("$'") else shlex.quote(word) for word in words]
        return " ".join(["geoseg", *(word if len(word) < 300 else f"{word[:120]}...{word[-20:]}" for word in quoted)])


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: int
    """Exit code; the negative number of the signal if the process was killed by one."""
    limit: str
    """``time`` or ``memory`` if the process was killed at that limit, else empty."""
    interrupted: bool
    """Whether the signal of the call was sent before the process ended."""
    seconds: float
    """Wall time."""
    memory_mb: int
    """Largest resident memory."""
    out: str
    err: str


Session = Generator[Call, Outcome, None]
"""Calls on one input, one after another. A session yields a call and receives its outcome."""
