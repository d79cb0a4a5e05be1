"""Reading ahead: a few threads fetch what comes next while the network works on what came before.

GDAL decodes outside Python's lock, so threads are enough. The look-ahead is bounded, which bounds memory; results come
in the order of the items; and whatever goes wrong in a thread is raised where the results are used, never swallowed.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from os import cpu_count
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCHES_AHEAD = 2
"""How many batches of tiles may be read before the network takes them."""


@contextlib.contextmanager
def reading_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
) -> Iterator[Iterator[Result]]:
    """An iterator over ``read(item)`` in order, at most ``ahead`` items read but not yet taken.

    When the context ends, for whatever reason, reads that have not begun are cancelled and running ones waited for, so
    that what they read from can be closed.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="geoseg-read")
    try:
        yield _in_order(pool, read, iter(items), ahead)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor, read: Callable[[Item], Result], items: Iterator[Item], ahead: int
) -> Iterator[Result]:
    waiting = deque(pool.submit(read, item) for item in islice(items, ahead))
    while waiting:
        _raise_failure(waiting)
        result = waiting.popleft().result()
        waiting.extend(pool.submit(read, item) for item in islice(items, 1))
        yield result


def _raise_failure(futures: Iterable[Future[Result]]) -> None:
    """The first error among finished reads; now, because the network may take minutes until it is that read's turn."""
    for future in futures:
        if future.done():
            future.result()


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], *, ahead: int | None = None
) -> Iterator[Result]:
    """``work(item)`` for each item. Items are taken by the thread that asks for results, ``ahead`` of them before they are
    needed: by default as many as there are cores, more if that thread is long away between some results.

    Pays if ``work`` spends its time in compiled code, which lets other threads run.
    """
    threads = cpu_count() or 1
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="geoseg-vector") as pool:
        for item in items:
            if len(running) > (ahead or threads):
                yield running.popleft().result()
            running.append(pool.submit(work, item))
        while running:
            yield running.popleft().result()
