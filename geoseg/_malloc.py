"""Configure the C library's allocator so that the memory of freed arrays is returned to the system.

After a few arrays of many megabytes, glibc allocates them from one heap per thread and does not return the pages. This
costs a quarter of a gigabyte for a scene that is 40,000 pixels wide, and more for taller scenes (benchmarks/memory.py).
"""

import ctypes
import functools

MMAP_THRESHOLD = 4 * 2**20
"""Size in bytes above which an array gets its own memory map: true for whole batches and strips, but not for single
tiles."""

M_MMAP_THRESHOLD = -3
"""glibc's number for this parameter (malloc.h); setting it explicitly prevents glibc from raising it."""


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
    """Give large arrays their own memory maps, once for the whole process; does nothing without glibc."""
    library = _glibc()
    if library is not None:
        library.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def trim() -> None:
    """Return free memory to the operating system; does nothing without glibc."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)
