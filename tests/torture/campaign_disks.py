"""Full disks, limits of file size, and folders without permission to write: a message, and nothing is left behind."""

import contextlib
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from .calls import Call, Limits, Session
from .faults import Record
from .fork_server import run_in_fork
from .interruptible import commands, write_inputs
from .interruptions import Command
from .sandbox import Sandbox

NAME = "disks"
DESCRIPTION = "full disks, limits of file size and read-only folders, for predict, polygonize, prepare, train, evaluate"
DEFAULT_INPUTS = 12
"""Number of disk sizes that each command is tried with."""

LAYER_SUFFIXES = ("gpkg", "geojson", "parquet", "shp", "fgb")
MIN_FILE_BYTES = 20_000
"""Smallest limit of file size, because it holds for the log of the call, too."""
NOBODY = 65534
"""User ID without permissions."""


def sessions(sandbox: Sandbox, record: Record, limit: int) -> Iterator[Session]:
    """Yield a session per command and kind of disk."""
    run_in_fork(lambda: write_inputs(sandbox.inputs))
    sandbox.watch()
    for command in _commands(sandbox):
        yield _file_size_session(sandbox, record, command, limit)
        yield _read_only_session(sandbox, record, command)
        if os.geteuid() == 0 and shutil.which("mount"):
            yield _full_disk_session(sandbox, record, command, limit)
    if os.geteuid():
        record.notes.append("full disks need root, and were replaced by limits of file size")


def _commands(sandbox: Sandbox) -> list[Command]:
    """Return the interruptible commands, polygonize with all formats, and outputs of other commands."""
    predict, polygonize, prepare, train = commands(sandbox)
    layers = [replace(polygonize, name=f"polygonize {suffix}", output=f"out.{suffix}") for suffix in LAYER_SUFFIXES]
    inputs = sandbox.inputs
    more = (*predict.words, "--probabilities", "mask_shares.tif", "--preview", "mask.png")
    score = ("evaluate", "--mask", f"{inputs}/mask.tif", "--reference", f"{inputs}/mask.tif", "--json", "OUT")
    several = [replace(predict, name="predict with probabilities", words=more)]
    return [
        predict,
        *several,
        *layers,
        prepare,
        train,
        replace(predict, name="evaluate", words=score, output="scores.json"),
    ]


def _call(command: Command, folder: Path, label: str, limits: Limits, *, must_fail: bool = False) -> Call:
    output = folder / command.output
    words = tuple(str(output) if word == "OUT" else word for word in command.words)
    return Call(f"{command.name}: {label}", words, folder, output, limits, must_fail=must_fail)


def _file_size_session(sandbox: Sandbox, record: Record, command: Command, count: int) -> Session:
    """Limit the size of files to random shares of the largest file of the result."""
    free = _call(command, sandbox.new_folder(), "no limit", Limits(120))
    yield free
    largest = max((path.stat().st_size for path in free.folder.rglob("*") if path.is_file()), default=1)
    sandbox.remove(free)
    chance = random.Random(command.name)
    for size in (max(MIN_FILE_BYTES, int(largest * chance.random())) for _ in range(count)):
        record.inputs += 1
        call = _call(command, sandbox.new_folder(), f"files of at most {size} bytes", Limits(120, file_bytes=size))
        outcome = yield call
        record.judge(call, outcome, allowed=_kept(command))
        sandbox.remove(call)


def _kept(command: Command) -> list[str]:
    """Return names of outputs that are kept after an error, because the same command resumes them."""
    return {"prepare": ["prepared"], "train": ["prepared", "runs"]}.get(command.name, [])


def _read_only_session(sandbox: Sandbox, record: Record, command: Command) -> Session:
    """Write into a folder without permission; root runs the command as another user."""
    record.inputs += 1
    user = NOBODY if os.geteuid() == 0 else None
    call = _call(command, sandbox.new_folder(), "read-only folder", Limits(120, user=user), must_fail=True)
    call.folder.chmod(0o555)
    outcome = yield call
    record.judge(call, outcome)
    call.folder.chmod(0o755)
    sandbox.remove(call)


def _full_disk_session(sandbox: Sandbox, record: Record, command: Command, count: int) -> Session:
    """Write to small memory disks."""
    chance = random.Random(command.name)
    for _ in range(count):
        folder = sandbox.new_folder()
        size = int(4096 * 2 ** chance.uniform(2, 12))
        if not _mount(folder, size):
            record.notes.append("no disks could be mounted; full disks were replaced by limits of file size")
            return
        record.inputs += 1
        try:
            call = _call(command, folder, f"disk of {size} bytes", Limits(120))
            outcome = yield call
            record.judge(call, outcome, allowed=_kept(command))
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
        sandbox.remove(call)


def _mount(folder: Path, size: int) -> bool:
    with contextlib.suppress(OSError):
        words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "torture", str(folder)]
        return subprocess.run(words, check=False, capture_output=True).returncode == 0
    return False
