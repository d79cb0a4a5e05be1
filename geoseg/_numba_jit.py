"""Just-in-time compilation with numba, which is imported on the first call; machine code is cached on disk."""

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_LOCK = threading.RLock()
"""Lock that is held while a function is compiled."""


def njit(function: F) -> F:
    """Compile a function to machine code on its first call; later processes load the code from disk.

    Numba caches the code in ``__pycache__`` next to the source, or in the user's cache folder (``NUMBA_CACHE_DIR``
    overrides both). If neither is writable, each process compiles the function again, which takes several seconds. The
    compiled function releases the GIL.
    """
    return cast("F", _CompiledAtFirstCall(function))


class _CompiledAtFirstCall:
    """A function that is compiled on its first call, so that importing its module does not import numba."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return (self._compiled or self.compile())(*args, **kwargs)

    def compile(self) -> Callable[..., Any]:
        """Compile the function.

        Decorated functions that it calls are compiled first and replaced in its globals, where numba looks them up.
        """
        with _LOCK:
            if self._compiled is None:
                scope = self._function.__globals__
                for name in self._function.__code__.co_names:
                    called = scope.get(name)
                    if isinstance(called, _CompiledAtFirstCall) and called is not self:
                        scope[name] = called.compile()
                self._compiled = _compile(self._function)
            return self._compiled


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    import numba

    try:
        return cast("Callable[..., Any]", numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "cannot cache function: no locator available"
        return cast("Callable[..., Any]", numba.njit(nogil=True)(function))
