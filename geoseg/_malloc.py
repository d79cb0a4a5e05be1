"""Control of the C library's allocator, so that freed arrays do not stay in the memory of the process.

glibc serves arrays of many megabytes from one heap per thread after it has seen a few of them, and does not return the
pages. This costs a quarter of a gigabyte on a scene 40 000 columns wide, more on taller scenes (benchmarks/memory.py).
"""

import ctypes
import functools

MMAP_THRESHOLD = 4 * 2**20
"""Bytes from which an array gets its own memory map: arrays of whole batches and strips do, those of single tiles do not."""

M_MMAP_THRESHOLD = -3
"""glibc's number (malloc.h) of the parameter; a value set by hand stops glibc from raising it."""


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc; musl, macOS and Windows have neither function."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


@functools.cache
def set_mmap_threshold() -> None:
    """Give large arrays their own memory maps, once for the whole process; do nothing without glibc."""
    library = _glibc()
    if library is not None:
        library.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def trim() -> None:
    """Return free memory to the operating system; do nothing without glibc."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
