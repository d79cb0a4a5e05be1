"""What commands say: results go to stdout, everything else to stderr, and no meaning is carried by colour."""

import json
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from geoseg.progress import NOTICE

QUIET = "geoseg.quiet"
VERBOSE = "geoseg.verbose"
"""Keys of click's ``meta``, which all contexts of one call share."""

CLEAR_LINE = "\r\033[K"
"""Moves to the line's beginning and empties it: a progress bar may stand there."""


def result(text: str) -> None:
    """One piece of data, on stdout."""
    click.echo(text)


def result_json(content: Any) -> None:
    """Data for programs, on stdout."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """A remark on stderr; nothing with ``--quiet``."""
    if not is_quiet():
        _to_stderr(text)


def complain(message: str, hint: str = "") -> None:
    """What went wrong and what to do about it, on stderr."""
    _to_stderr(f"Error: {message}")
    if hint:
        _to_stderr(f"Hint: {hint}")


def is_quiet() -> bool:
    """True if the running command was called with ``--quiet``."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns under a ruled header; those that hold only numbers (with a unit or not) are set to the right."""
    columns = [list(column) for column in zip(header, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    numeric = [bool(rows) and all(_is_number(cell) for cell in column[1:]) for column in columns]
    lines = [list(header), ["-" * width for width in widths], *map(list, rows)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


@contextmanager
def log_to_stderr(context: click.Context) -> Iterator[None]:
    """Shows the library's log while a command runs: notices and warnings, with ``-v`` what it does, with ``-vv`` everything.

    Python's own warnings, which are written for developers, are shown from ``-v`` on.
    """
    handler = _StderrHandler(context)
    loggers = [logging.getLogger("geoseg"), logging.getLogger("py.warnings")]
    levels = [logger.level for logger in loggers]
    logging.captureWarnings(True)
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class _StderrHandler(logging.Handler):
    """Writes log records as lines; how many, is decided when they come, because options follow the command."""

    def __init__(self, context: click.Context) -> None:
        super().__init__()
        self.context = context

    def filter(self, record: logging.LogRecord) -> bool:
        if self.context.meta.get(QUIET):
            return record.name != "py.warnings" and record.levelno >= logging.ERROR
        verbose = int(self.context.meta.get(VERBOSE, 0))
        if record.name == "py.warnings":
            return verbose > 0
        return record.levelno >= (NOTICE, logging.INFO, logging.DEBUG)[min(verbose, 2)]

    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.capitalize()}: " if record.levelno >= logging.WARNING else ""
        _to_stderr(f"{prefix}{record.getMessage().rstrip()}")


def _to_stderr(text: str) -> None:
    click.echo(f"{CLEAR_LINE if sys.stderr.isatty() else ''}{text}", err=True)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"|-|[\d.,]+ ?(%|m²|ha|km²)?", cell) is not None
