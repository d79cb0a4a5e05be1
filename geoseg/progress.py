"""How long work says how far it is, without knowing who listens.

The library calls ``progress(total, description)`` and then ``advance`` on what it gets; the command line draws a bar
from it, a notebook may draw something else, and the default draws nothing.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

NOTICE = 25
"""A level of logging between INFO and WARNING: what users should hear without asking, and that is no reason to worry."""


@runtime_checkable
class Task(Protocol):
    """One piece of long work that has begun."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Say that ``steps`` more of the announced total are done; ``note`` is a short text to show beside it."""


@runtime_checkable
class Progress(Protocol):
    """Begins a task of ``total`` steps; the task is over when the context ends, however it ends."""

    def __call__(self, total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
        """The task, begun; ``description`` says in a word or two what is being done, ``done`` how many steps were before."""


class _SilentTask:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Nobody listens."""


def silent(total: int, description: str, *, done: int = 0) -> AbstractContextManager[Task]:
    """The default progress: shows nothing."""
    return _SilentTask()
