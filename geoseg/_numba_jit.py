"""Just-in-time compilation with Numba; the machine code is cached on disk where possible."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def njit(function: F) -> F:
    """Compile a function to machine code on its first call; later processes read the code from disk.

    Numba caches the code in ``__pycache__`` next to the source, or in the user's cache folder (``NUMBA_CACHE_DIR``
    overrides both). If neither is writable, each process compiles the function again, which takes several seconds. The
    compiled function releases the GIL.
    """
    try:
        return cast("F", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast("F", numba.njit(nogil=True)(function))
