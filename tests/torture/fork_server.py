"""Run many calls quickly: libraries are imported once, and each call runs in a fork with its own limits.

The process that forks never opens a raster or a layer itself, because a fork inherits locks of GDAL and of threads.
Inputs are made, and outputs are read, in forks, too (:func:`run_in_fork`).
"""

import atexit
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .calls import Call, Outcome, Session

MODULES = (
    *(f"geoseg_cli.{name}" for name in ("evaluate", "info", "import_checkpoint", "polygonize", "predict")),
    *(f"geoseg_cli.{name}" for name in ("prepare", "train")),
    *(f"geoseg.evaluation.{name}" for name in ("evaluate_masks", "evaluate_model")),
    "geoseg.data.preparation.prepare",
    "geoseg.file_info.info",
    "geoseg.importers.import_checkpoint",
    "geoseg.inference.predict",
    "geoseg.training.train",
    "geoseg.vector.polygonize",
    "matplotlib.figure",
    "torch.utils.tensorboard",
)
"""Modules that commands import when they are called."""

POLL_SECONDS = 0.01
MAX_TEXT = 20_000
"""Number of characters of stdout and stderr that are kept."""


def import_commands() -> None:
    """Import everything that the commands need."""
    for name in MODULES:
        importlib.import_module(name)
    gc.freeze()  # objects that are never touched again need no copy in the forks


def run_sessions(sessions: Iterable[Session], workers: int, logs: Path) -> None:
    """Run sessions, ``workers`` at a time.

    Args:
        sessions: Sessions to run.
        workers: Number of calls that run at the same time.
        logs: Folder for stdout and stderr of the running calls.
    """
    waiting = iter(sessions)
    running: list[tuple[Session, _Process]] = []
    exhausted = False
    while running or not exhausted:
        while len(running) < workers and not exhausted:
            session = next(waiting, None)
            exhausted = session is None
            if session is not None:
                running += _next_call(session, None, logs)
        ended = [(session, process, outcome) for session, process in running if (outcome := process.poll())]
        running = [pair for pair in running if pair[1] not in [process for _, process, _ in ended]]
        for session, _, outcome in ended:
            running += _next_call(session, outcome, logs)
        time.sleep(POLL_SECONDS)


def _next_call(session: Session, outcome: Outcome | None, logs: Path) -> Iterator[tuple[Session, "_Process"]]:
    """Continue a session and start its next call, if there is one."""
    try:
        call = next(session) if outcome is None else session.send(outcome)
    except StopIteration:
        return
    yield session, _Process(call, logs)


def run_in_fork(function: Callable[[], Any]) -> Any:
    """Return the result of a function that runs in a fork, as JSON carries it; raise RuntimeError if it crashes."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        warnings.simplefilter("ignore")
        try:
            result: Any = {"result": function()}
        except BaseException:
            result = {"error": traceback.format_exc()}
        with os.fdopen(writer, "w") as file:
            json.dump(result, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    answer = json.loads(text or '{"error": "no result"}')
    if "error" in answer or status:
        raise RuntimeError(f"exit code {status}: {answer.get('error')}")
    return answer["result"]


class _Process:
    """A call that runs in a fork."""

    def __init__(self, call: Call, logs: Path) -> None:
        self.call = call
        self.started = time.monotonic()
        self.limit = ""
        self.interrupted = False
        self.memory_mb = 0.0
        self.out = logs / f"{time.monotonic_ns()}.out"
        self.err = self.out.with_suffix(".err")
        self.pid = os.fork()
        if not self.pid:
            try:
                _become(call, self.out, self.err)
            finally:
                os._exit(97)

    def poll(self) -> Outcome | None:
        """Return the outcome if the process has ended; enforce its limits and send its signal otherwise."""
        ended, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not ended:
            self._supervise()
            return None
        self._kill_group()  # processes that the call has started and left behind
        return Outcome(
            os.waitstatus_to_exitcode(status),
            self.limit,
            self.interrupted,
            time.monotonic() - self.started,
            round(max(self.memory_mb, usage.ru_maxrss / 1024)),
            _read_and_remove(self.out),
            _read_and_remove(self.err),
        )

    def _supervise(self) -> None:
        limits, wall = self.call.limits, time.monotonic() - self.started
        interruption = self.call.interruption
        if interruption and not self.interrupted and wall >= interruption.after:
            self.interrupted = True
            os.kill(self.pid, interruption.signal)
        self.memory_mb = max(self.memory_mb, _peak_memory_mb(self.pid))
        if _cpu_seconds(self.pid) > limits.seconds or wall > 4 * limits.seconds + 20:
            self.limit = "time"
        elif self.memory_mb > limits.memory_mb:
            self.limit = "memory"
        if self.limit:
            self._kill_group()

    def _kill_group(self) -> None:
        for kill in (os.killpg, os.kill):  # the process may not have made its group yet
            try:
                kill(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _become(call: Call, out: Path, err: Path) -> None:
    """Turn this process into a call of ``geoseg``."""
    from geoseg_cli.main import main  # noqa: PLC0415

    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the command runs, and after it
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(call.folder)
    _limit(call)
    sys.argv = [str(Path(sys.executable).with_name("geoseg")), *call.arguments]
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
    except SystemExit as end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _limit(call: Call) -> None:
    if call.limits.file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (call.limits.file_bytes, call.limits.file_bytes))
    if call.limits.user is not None:
        os.setgroups([])
        os.setgid(call.limits.user)
        os.setuid(call.limits.user)


def _read_and_remove(path: Path) -> str:
    if not path.exists():
        return ""
    text = path.read_text("utf-8", errors="replace")
    path.unlink()
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT // 2]}\n...\n{text[-MAX_TEXT // 2 :]}"


def _peak_memory_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
