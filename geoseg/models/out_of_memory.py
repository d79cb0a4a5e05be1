"""Report out-of-memory errors from NumPy, torch and the devices."""

import contextlib
from collections.abc import Iterator

from geoseg.errors import GeosegError

OUT_OF_MEMORY_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "dataloader worker",
    "bus error",
    "alloc_failed",
    "find an engine",
)
"""Parts of torch's error messages when memory runs out, including those for a killed worker process."""


@contextlib.contextmanager
def explain_out_of_memory(hint: str) -> Iterator[None]:
    """Convert out-of-memory errors from NumPy, torch and the devices to a :class:`GeosegError` with ``hint``."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error).lower()
        if isinstance(error, RuntimeError) and not any(words in text for words in OUT_OF_MEMORY_MESSAGES):
            raise
        raise GeosegError("out of memory while running the network", hint) from error
