"""How the C library keeps memory: large arrays apart, so that they leave nothing behind.

glibc puts arrays of many megabytes into a heap per thread once it has seen some of them, and keeps the pieces: a quarter of
a gigabyte on a scene 40 000 columns wide, and growing with its height (benchmarks/memory.py).
"""

import ctypes
import ctypes.util
import functools
from collections.abc import Callable
from typing import Any

LARGE = 4 * 2**20
"""Bytes from which an array is mapped by itself: those of whole batches and strips are, those of single tiles are not."""

M_MMAP_THRESHOLD = -3
"""glibc's name (malloc.h) of the size from which it does so; setting it keeps glibc from raising it by itself."""


@functools.cache
def keep_large_arrays_apart() -> None:
    """Tell the C library, for the whole process and once; nothing happens where it is not glibc."""
    try:
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
    except (OSError, AttributeError, TypeError):  # musl, macOS and Windows have no such thing
        return


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
