"""Work on a sequence by several threads: results come in order, and only a few are made ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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
