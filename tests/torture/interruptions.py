"""Interrupt a command at random moments, run it again, and compare its result with that of an undisturbed run."""

import random
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .calls import Call, Interruption, Limits, Outcome, Session
from .faults import Record
from .sandbox import Sandbox

LIMITS = Limits(seconds=120)
SPAN = 0.9
"""Kills are distributed over this share of the duration of the undisturbed run."""
MAX_CALLS = 6
"""Number of calls per kill; some calls end before their signal."""

Fingerprint = dict[str, str]
"""Digest of each file of a result, without times and paths."""


@dataclass(frozen=True)
class Command:
    """A command that may be interrupted."""

    name: str
    words: tuple[str, ...]
    """Arguments; OUT stands for the output."""
    resume: tuple[str, ...]
    """Additional arguments after an interruption."""
    output: str
    """Name of the output."""
    fingerprint: Callable[[Path], Fingerprint]


@dataclass
class Interruptions:
    """Interrupts one command with one signal ``count`` times."""

    sandbox: Sandbox
    record: Record
    command: Command
    signal: signal.Signals
    count: int

    def session(self) -> Session:
        """Run undisturbed, then interrupted and resumed, and compare."""
        first = self._call(self.sandbox.new_folder(), resumed=False)
        outcome = yield first
        self.record.judge(first, outcome, allowed=["prepared"])
        if outcome.code:
            return
        expected = self._fingerprint(first)
        yield from self._interrupt(expected or {}, outcome.seconds)
        self.sandbox.remove(first)

    def _interrupt(self, expected: Fingerprint, duration: float) -> Session:
        chance = random.Random(f"{self.command.name} {self.signal}")
        folder, interruptions, resumed = self.sandbox.new_folder(), 0, False
        for _ in range(MAX_CALLS * self.count):
            if interruptions == self.count:
                break
            moment = Interruption(self.signal, chance.uniform(0.01, SPAN) * duration)
            call = replace(self._call(folder, resumed), interruption=moment)
            outcome = yield call
            if outcome.interrupted:
                interruptions += 1
                self.record.inputs += 1
                self.record.judge_interrupted(call, outcome)
            else:
                self.record.count(outcome)
            resumed = not self._is_finished(call, outcome, expected)
            if not resumed:
                self._empty(folder)
        last = self._call(folder, resumed)
        outcome = yield last
        self.record.judge(last, outcome, allowed=["prepared"])
        if self._fingerprint(last) != expected:
            self._report_difference(last, expected)
        self.sandbox.remove(last)

    def _call(self, folder: Path, resumed: bool) -> Call:
        output = folder / self.command.output
        words = [str(output) if word == "OUT" else word for word in self.command.words]
        words += self.command.resume if resumed else []
        return Call(f"{self.command.name} {self.signal.name}", tuple(words), folder, output, LIMITS)

    def _is_finished(self, call: Call, outcome: Outcome, expected: Fingerprint) -> bool:
        """Return whether the command has finished; its output is then the undisturbed one.

        Files have their final name only when they are complete. A folder is complete when the command ends without an
        error, or was stopped after its last file.
        """
        assert call.output is not None
        is_equal = self._fingerprint(call) == expected
        is_complete = is_equal or call.output.is_file() or outcome.code == 0
        if is_complete and not is_equal:
            self._report_difference(call, expected)
        if outcome.code > 0 and not outcome.interrupted and not is_complete:
            self.record.add_fault("different after resume", call, f"exit code {outcome.code}: {outcome.err}")
        return is_complete

    def _report_difference(self, call: Call, expected: Fingerprint) -> None:
        actual = self._fingerprint(call) or {}
        names = sorted(name for name in actual.keys() | expected.keys() if actual.get(name) != expected.get(name))
        self.record.add_fault("different after resume", call, f"{len(names)} files differ: {names[:8]}")

    def _fingerprint(self, call: Call) -> Fingerprint | None:
        output = call.output
        assert output is not None
        try:
            result: Fingerprint = self.command.fingerprint(output)
        except (OSError, ValueError, KeyError):
            return None
        return result

    def _empty(self, folder: Path) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
