"""The command ``geoseg`` in this process or in one that is killed, and the list of cases that call it."""

import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = Path("../../inputs")
"""What all cases read, seen from the folder of a case."""

CASES: dict[str, Callable[[], None]] = {}
"""Every case by its name; it writes into the folder it is called in."""


class CaseError(Exception):
    """A command did not end as it should."""


def case(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Decorate a function that is a case.

    Args:
        name: What the case is called, and its folder.

    Returns:
        The decorator.
    """

    def register(function: Callable[[], None]) -> Callable[[], None]:
        CASES[name] = function
        return function

    return register


def geoseg(*arguments: object, code: int = 0) -> str:
    """Run a command in this process.

    Args:
        *arguments: The words behind ``geoseg``.
        code: The exit code it must end with.

    Returns:
        What it prints to standard output.

    Raises:
        CaseError: It ends with another code.
    """
    words = [str(argument) for argument in arguments]
    sys.stderr.write(f"$ geoseg {' '.join(words)}\n")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        ended = _ended(words)
    sys.stderr.write(out.getvalue())
    if ended != code:
        raise CaseError(f"geoseg {' '.join(words)} ended with {ended}, not {code}")
    return out.getvalue()


def killed(*arguments: object, before: str, times: int = 1, by: signal.Signals = signal.SIGKILL) -> None:
    """Run a command in a process of its own, which gets a signal just before a file takes its name.

    Args:
        *arguments: The words behind ``geoseg``.
        before: How the name of the file begins.
        times: The signal comes before the file of that kind with this number.
        by: The signal.

    Raises:
        CaseError: The command is not ended by the signal.
    """
    sys.stderr.flush()
    child = os.fork()
    if not child:
        left = [times]

        def heard(event: str, about: tuple[Any, ...]) -> None:
            if event == "os.rename" and Path(os.fsdecode(about[1])).name.startswith(before):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), by)

        sys.addaudithook(heard)
        ended = _ended([str(argument) for argument in arguments])
        sys.stderr.flush()
        os._exit(ended)
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    if ended != (-by if by == signal.SIGKILL else 1):
        raise CaseError(f"geoseg {' '.join(map(str, arguments))} ended with {ended}, not by {by.name}")


def save_arrays(path: str, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to a file whose bytes follow from them alone.

    Args:
        path: The file, which ends in ``.npz``.
        arrays: Arrays by name.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def _ended(words: list[str]) -> int:
    main = importlib.import_module("geoseg_cli.main").main
    try:
        main.main(args=words, prog_name="geoseg")
    except SystemExit as end:
        return int(end.code or 0)
    return 0
