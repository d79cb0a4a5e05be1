"""Configure the C library's allocator so that the memory of freed arrays is returned to the operating system.

After a few arrays of many megabytes have been freed, glibc starts to allocate such arrays on one heap per thread and
does not return their pages. This costs a quarter of a gigabyte for a scene that is 40,000 pixels wide, and more for
taller scenes (benchmarks/memory.py).
"""

import ctypes
import functools

MMAP_THRESHOLD = 4 * 2**20
"""Size in bytes above which an array is allocated in its own memory map; whole batches and strips are larger, and single
tiles are smaller."""

M_MMAP_THRESHOLD = -3
"""glibc's number for this parameter (malloc.h); setting the parameter explicitly prevents glibc from increasing it."""


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc; musl, macOS and Windows do not have these functions."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


@functools.cache
def set_mmap_threshold() -> None:
    """Allocate large arrays in their own memory maps from now on, in the whole process; do nothing without glibc."""
    library = _glibc()
    if library is not None:
        library.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def trim() -> None:
    """Return free memory to the operating system; do nothing without glibc."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
