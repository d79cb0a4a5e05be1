"""Faults: what a call must never do, decided from its outcome and from the files it leaves."""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .calls import Call, Outcome

KINDS = {
    "internal error": "exit code 70, or an exit code without meaning",
    "traceback": "a Python traceback was printed",
    "crash": "the process was killed by a signal it did not receive from outside",
    "time": "the time limit was exceeded, or a stopped process did not end",
    "memory": "the memory limit was exceeded",
    "no message": "exit code 1, but no error was printed",
    "library output": "messages of GDAL or another library were printed",
    "accepted": "invalid input was accepted",
    "code executed": "code from an input was executed",
    "file outside": "a file was written or changed outside of the output",
    "incomplete output": "an incomplete output was left behind",
    "no output": "exit code 0 without an output",
    "wrong result": "the result differs from an independent calculation",
    "different after resume": "the result after an interruption differs from that of an undisturbed run",
}
"""Kinds of faults and their descriptions."""

USAGE_ERROR = 2
LIBRARY_LINE = re.compile(
    r"^(ERROR \d+:|Warning \d+:|TIFF\w+:|libpng |Fontconfig|OMP:|\w+Warning:|.*\.py:\d+: \w+Warning)"
)


@dataclass(frozen=True)
class Fault:
    """A fault, with the command that shows it."""

    kind: str
    label: str
    command: str
    detail: str


@dataclass
class Record:
    """Inputs, calls and faults of a campaign."""

    name: str
    description: str
    inputs: int = 0
    calls: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    """Number of calls by exit code."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be tried on this machine."""

    def add_fault(self, kind: str, call: Call, detail: str) -> None:
        """Record a fault of a call."""
        assert kind in KINDS, kind
        self.faults.append(Fault(kind, call.label, call.command, detail[-600:].strip()))

    def judge(self, call: Call, outcome: Outcome, *, allowed: Iterable[str] = ()) -> None:
        """Record the faults of a call that was not interrupted.

        Args:
            call: The call.
            outcome: Its outcome.
            allowed: Names that may be left in the folder of the call although it failed.
        """
        self.count(outcome)
        for kind, detail in [*_faults_of_process(call, outcome), *_faults_of_files(call, outcome, set(allowed))]:
            self.add_fault(kind, call, detail)

    def judge_interrupted(self, call: Call, outcome: Outcome) -> None:
        """Record the faults of a call that received a signal; the caller examines its files."""
        self.count(outcome)
        assert call.interruption is not None
        number = call.interruption.signal
        if outcome.limit or "Traceback (most recent call last)" in outcome.err:
            kind = "traceback" if not outcome.limit else outcome.limit
            self.add_fault(kind, call, outcome.err)
        elif outcome.code not in {0, 1, 128 + number, -number, 130}:
            self.add_fault("internal error", call, f"exit code {outcome.code} after {signal.Signals(number).name}")

    def count(self, outcome: Outcome) -> None:
        """Count a call and its exit code."""
        self.calls += 1
        self.codes[outcome.code] += 1

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        return asdict(self) | {"codes": {str(code): count for code, count in sorted(self.codes.items())}}


def _faults_of_process(call: Call, outcome: Outcome) -> Iterable[tuple[str, str]]:
    """Yield kind and detail of each fault of a process."""
    if outcome.limit:
        yield outcome.limit, f"{outcome.seconds:.0f} s, {outcome.memory_mb} MB; {outcome.err[-300:]}"
        return
    if outcome.memory_mb > call.limits.memory_mb:
        yield "memory", f"{outcome.memory_mb} MB"
    if outcome.code < 0:
        yield "crash", f"{signal.Signals(-outcome.code).name}; {outcome.err[-300:]}"
    elif outcome.code not in {0, 1, USAGE_ERROR}:
        yield "internal error", f"exit code {outcome.code}; {outcome.err[-500:]}"
    elif "Traceback (most recent call last)" in outcome.err:
        yield "traceback", outcome.err
    elif outcome.code == 1 and "error" not in (outcome.out + outcome.err).lower():
        yield "no message", outcome.err or "nothing was printed"
    elif outcome.code == 0 and call.must_fail:
        yield "accepted", outcome.err or outcome.out
    if lines := [line for line in outcome.err.splitlines() if LIBRARY_LINE.match(line)]:
        yield "library output", lines[0]


def _faults_of_files(call: Call, outcome: Outcome, allowed: set[str]) -> Iterable[tuple[str, str]]:
    """Yield kind and detail of each fault of the files in the folder of a call."""
    if outcome.limit:
        return  # the process was killed
    left = {path.name for path in call.folder.iterdir() if not _is_resumable(path)} - allowed
    if outcome.code:
        if left:
            yield "incomplete output", f"exit code {outcome.code}, left: {_some(left)}"
    elif call.output is not None:
        stem = call.output.name.rsplit(".", 1)[0]  # also that of files beside it, such as out.dbf and out_building.shp
        if not any(name.startswith(stem) for name in left) and not os.path.lexists(call.output):
            yield "no output", outcome.err
        if others := {name for name in left if not name.startswith(stem)}:
            yield "file outside", _some(others)
    elif left:
        yield "file outside", _some(left)


def _is_resumable(path: Path) -> bool:
    """Return whether a folder holds finished parts of a prediction, for ``predict --resume``."""
    return path.name.startswith(".") and path.name.endswith(".part") and any(path.glob("*-*.tif"))


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted(ascii(name) for name in names)[:5])


def list_files(folder: Path, *, without: Iterable[Path] = ()) -> dict[str, tuple[int, int]]:
    """Return size and modification time of all files below a folder, except in the folders ``without``."""
    skipped = {str(path) for path in without}
    found = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if str(Path(parent, name)) not in skipped]
        for name in names:
            status = Path(parent, name).lstat()
            found[str(Path(parent, name))] = (status.st_size, status.st_mtime_ns)
    return found
