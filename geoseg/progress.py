"""Progress reporting: the library calls a :class:`Progress`, which the command line and notebooks implement.

The library calls ``progress(total, description)`` and then ``advance`` on the result. The default, :func:`silent`, does
not display anything.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

NOTICE = 25
"""Logging level between INFO and WARNING, for messages that are shown by default but do not indicate a problem."""


@runtime_checkable
class Task(Protocol):
    """A running task."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Report progress.

        Args:
            steps: Number of steps completed since the last call.
            note: Short text to display next to the progress.
        """


@runtime_checkable
class Progress(Protocol):
    """Creates a context manager for a task, which ends when the context exits."""

    def __call__(self, total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
        """Begin a task.

        Args:
            total: Total number of steps.
            description: Name of the task, in a word or two.
            done: Number of steps that were completed earlier, if work is resumed.
        """


class _SilentTask:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Ignore the steps."""


def silent(total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
    """Begin a task without displaying it; for the arguments, see :class:`Progress`."""
    return _SilentTask()


def tqdm_progress(total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
    """Show a tqdm progress bar in a terminal or notebook if the task takes longer than two seconds.

    Example:
        >>> with tqdm_progress(3, "Counting") as task:
        ...     task.advance()
    """
    return _TqdmTask(total, description, done=done)


class _TqdmTask:
    """A tqdm progress bar as a :class:`Task`; nested bars and the bars of failed tasks are cleared at the end."""

    def __init__(self, total: int, description: str, *, done: int) -> None:
        from tqdm.auto import tqdm

        class Bar(tqdm):  # type: ignore[misc]
            monitor_interval = 0  # no monitor thread, because data loaders fork

        self._bar = Bar(
            total=total, desc=description, initial=done, delay=2, dynamic_ncols=True, leave=None, mininterval=0.1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._bar.leave = False
        self._bar.close()

    def advance(self, steps: int = 1, note: str = "") -> None:
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(steps)
