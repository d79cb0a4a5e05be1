"""Gives memory that was freed back to the system, in long work that makes many large arrays beside few small ones.

glibc keeps what was freed between blocks that are still in use: over a mask of 40 000 x 40 000 pixels that adds up to more
than all that is in use. ``malloc_trim`` gives these pages back in milliseconds; other C libraries do so themselves.
"""

import ctypes
import ctypes.util
from collections.abc import Callable
from typing import Any


def _trim() -> Callable[[int], Any] | None:
    try:
        return getattr(ctypes.CDLL(ctypes.util.find_library("c")), "malloc_trim", None)
    except (OSError, TypeError):  # no C library of that name, as on Windows
        return None


_MALLOC_TRIM = _trim()


def give_back() -> None:
    """Give back what is free, where the C library has to be told."""
    if _MALLOC_TRIM is not None:
        _MALLOC_TRIM(0)
