import threading
import time

import pytest

from geoseg._concurrency import reading_ahead


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.02 * (item == 0))
        return item * 10

    with reading_ahead(slow_at_first, range(20), threads=3, ahead=4) as results:
        assert list(results) == [item * 10 for item in range(20)]


def test_no_more_is_read_ahead_than_asked_for():
    begun = []
    with reading_ahead(begun.append, range(100), threads=4, ahead=5) as results:
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

    with reading_ahead(read, range(9), threads=2, ahead=3) as results:
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

    with reading_ahead(read, range(1000), threads=2, ahead=50) as results:
        next(results)
    assert len(running) == len(finished) < 10


def test_nothing_to_read_gives_nothing():
    with reading_ahead(str, [], threads=1, ahead=3) as results:
        assert list(results) == []
