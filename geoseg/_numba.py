"""How loops are compiled: once per machine, kept on disk wherever that is possible."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Decorator: machine code for ``function``, made at the first call and read from disk by later processes.

    numba keeps it in ``__pycache__`` beside the source, else in the user's cache folder (``NUMBA_CACHE_DIR`` overrides
    both). Where none of them can be written it refuses to decorate; then we compile anew in each process, which costs
    seconds but works. Compiled functions let other threads run (``nogil``).
    """
    try:
        return cast("F", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast("F", numba.njit(nogil=True)(function))
