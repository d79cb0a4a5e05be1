"""Bounded, ordered thread pools, which compute the next results while the caller processes the previous ones.

GDAL, numba and shapely release the GIL, so threads are sufficient.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from itertools import islice
from os import cpu_count
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCHES_AHEAD = 2
"""Maximum number of batches of tiles that are read before the network needs them."""


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None, ahead: int | None = None
) -> Generator[Result, None, None]:
    """Map a function over items in several threads, and yield the results in the order of the items.

    The number of items in progress, and therefore the memory use, is bounded. ``items`` is iterated in the thread that
    requests results. When the generator is closed, tasks that have not started are canceled and running tasks are
    awaited.

    Args:
        function: Function to call once per item; threads only help if it spends its time in code that releases the GIL.
        items: The arguments, which are consumed lazily.
        threads: Number of threads; by default, the number of CPU cores.
        ahead: Maximum number of items that have been submitted but whose results have not been yielded; by default, one
            more than ``threads``.

    Yields:
        ``function(item)`` for each item.

    Raises:
        Exception: The first error of any finished task, raised immediately instead of in the order of the items.
    """
    threads = threads or cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="geoseg-map")
    remaining = iter(items)
    try:
        waiting.extend(pool.submit(function, item) for item in islice(remaining, ahead or threads + 1))
        while waiting:
            _raise_first_error(waiting)
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(remaining, 1))
            yield result
            del result  # otherwise it would stay in memory while the next one is computed
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def prefetch(
    read: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> AbstractContextManager[Iterator[Result]]:
    """Return :func:`ordered_map` as a context manager.

    When the context exits, no tasks are running anymore, so the files that they read can be closed.
    """
    return closing(ordered_map(read, items, threads=threads, ahead=ahead))


def _raise_first_error(futures: Iterable[Future[Result]]) -> None:
    for future in futures:
        if future.done():
            future.result()
