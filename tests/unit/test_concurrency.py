"""Ordered thread maps: order, bounded look-ahead, early errors, clean end."""

import threading
import time

import pytest

from geoseg._concurrency import ordered_map, prefetch


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.02 * (item == 0))
        return item * 10

    with prefetch(slow_at_first, range(20), threads=3, ahead=4) as results:
        assert list(results) == [item * 10 for item in range(20)]


def test_no_more_is_read_ahead_than_asked_for():
    begun = []
    with prefetch(begun.append, range(100), threads=4, ahead=5) as results:
        for taken, _ in enumerate(results, start=1):
            assert len(begun) <= taken + 5
    assert len(begun) == 100


def test_the_error_of_a_later_item_does_not_wait_for_its_turn():
    begun = threading.Event()

    def read(item):
        if item == 2:
            begun.wait(5)
            raise ValueError("broken")
        return item

    with prefetch(read, range(9), threads=2, ahead=3) as results:
        assert next(results) == 0
        begun.set()
        time.sleep(0.2)
        with pytest.raises(ValueError, match="broken"):
            next(results)


@pytest.mark.timeout(20)
def test_whoever_stops_early_waits_for_running_reads_only():
    running, finished = [], []

    def read(item):
        running.append(item)
        time.sleep(0.02)
        finished.append(item)

    with prefetch(read, range(1000), threads=2, ahead=50) as results:
        next(results)
    assert len(running) == len(finished) < 10


def test_nothing_to_read_gives_nothing():
    with prefetch(str, [], threads=1, ahead=3) as results:
        assert list(results) == []


@pytest.mark.parametrize(("threads", "ahead"), [(None, None), (1, None), (3, 1), (2, 50)])
def test_an_ordered_map_is_a_map(threads, ahead):
    assert list(ordered_map(str, range(20), threads=threads, ahead=ahead)) == [str(item) for item in range(20)]


def test_items_are_taken_by_the_thread_that_asks_for_results():
    takers = set()

    def items():
        for item in range(20):
            takers.add(threading.get_ident())
            yield item

    assert list(ordered_map(abs, items(), threads=4)) == list(range(20))
    assert takers == {threading.get_ident()}


def test_an_error_of_the_items_reaches_the_caller():
    def items():
        yield 1
        raise ValueError("no more items")

    with pytest.raises(ValueError, match="no more items"):
        list(ordered_map(abs, items()))
