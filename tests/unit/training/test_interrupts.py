"""Signals ask for an end, and only while a run is at work."""

import signal
import threading

import pytest

from geoseg.training.interrupts import Stopped, stopping


@pytest.fixture(autouse=True)
def handlers():
    """What signals do is as before, whatever a test did."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_remembered_and_nothing_is_interrupted(number, handlers):
    with stopping() as stop:
        assert stop.signal == 0
        signal.raise_signal(number)
        assert stop.signal == number
    assert signal.getsignal(number) == handlers[number]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_after_another_signal_does_not_wait(first, handlers):
    with stopping():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == handlers[signal.SIGINT]


def test_sigterm_may_come_as_often_as_it_likes():
    with stopping() as stop:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
    assert stop.signal == signal.SIGTERM


def test_outside_the_main_thread_signals_are_left_alone(handlers):
    seen = []

    def work():
        with stopping() as stop:
            seen.extend([stop.signal, signal.getsignal(signal.SIGTERM)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0, handlers[signal.SIGTERM]]


def test_a_stopped_run_says_where_it_is_and_how_to_go_on(tmp_path):
    stopped = Stopped(tmp_path / "town", 12, signal.SIGTERM)
    assert stopped.message == f"stopped after iteration 12; {tmp_path / 'town'} holds all that was done"
    assert stopped.hint == "the same command goes on from there"
    assert stopped.signal == 15
