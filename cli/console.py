"""Print results to stdout and everything else to stderr. Information is never conveyed by color alone."""

import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from geoseg._text import align_columns
from geoseg.errors import GeosegWarning
from geoseg.progress import NOTICE

QUIET = "geoseg.quiet"
VERBOSE = "geoseg.verbose"
"""Keys of ``click.Context.meta``, which is shared by all contexts of an invocation."""

CLEAR_LINE = "\r\033[K"
"""Control codes that clear the current line, which may contain a progress bar."""


def print_result(text: str) -> None:
    """Print a result to stdout."""
    click.echo(text)


def print_json(content: Any) -> None:
    """Print a result to stdout as JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_status(text: str) -> None:
    """Print a status message to stderr, unless ``--quiet`` is used."""
    if not is_quiet():
        _to_stderr(text)


def print_warning(message: str) -> None:
    """Print a warning to stderr, unless ``--quiet`` is used."""
    print_status(f"Warning: {message}")


def print_error(message: str, hint: str = "") -> None:
    """Print an error and its hint to stderr."""
    _to_stderr(f"Error: {message}")
    if hint:
        _to_stderr(f"Hint: {hint}")


def is_quiet() -> bool:
    """Return whether the current command was called with ``--quiet``."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format rows as aligned columns under a header; columns of numbers are right-aligned."""
    columns = [list(column) for column in zip(header, *rows, strict=True)]
    widths = [max(map(len, column)) for column in columns]
    numeric = [bool(rows) and all(_is_number(cell) for cell in column[1:]) for column in columns]
    return "\n".join(align_columns([header, ["-" * width for width in widths], *rows], numeric))


@contextmanager
def log_to_stderr(context: click.Context) -> Iterator[None]:
    """Print the library's log to stderr while a command runs.

    By default, geoseg's notices, warnings and deprecation warnings are printed. ``-v`` adds INFO messages and other
    Python warnings, and ``-vv`` adds DEBUG messages.
    """
    handler = _StderrHandler(context)
    loggers = [logging.getLogger("geoseg"), logging.getLogger("py.warnings")]
    levels = [logger.level for logger in loggers]
    logging.captureWarnings(True)
    log_warning = warnings.showwarning

    def show_warning(message: Warning | str, category: type[Warning], *args: Any, **kwargs: Any) -> None:
        if issubclass(category, GeosegWarning):
            print_warning(str(message))
        else:
            log_warning(message, category, *args, **kwargs)

    warnings.showwarning = show_warning
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
    """Prints each log record on its own line.

    The level is checked for each record, because ``-v`` and ``-q`` may follow the subcommand.
    """

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
