"""Tests of stopping a run by a signal."""

import signal
import threading

import pytest

from geoseg.training.interrupts import TrainingInterrupted, catch_signals


@pytest.fixture(autouse=True)
def handlers():
    """Restore signal handlers after a test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_recorded_without_interrupting(number, handlers):
    with catch_signals() as stop:
        assert stop.signal == 0
        signal.raise_signal(number)
        assert stop.signal == number
    assert signal.getsignal(number) == handlers[number]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_after_another_signal_interrupts_immediately(first, handlers):
    with catch_signals():
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == handlers[signal.SIGINT]


def test_repeated_sigterm_does_not_interrupt():
    with catch_signals() as stop:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
    assert stop.signal == signal.SIGTERM


def test_handlers_are_unchanged_outside_the_main_thread(handlers):
    seen = []

    def work():
        with catch_signals() as stop:
            seen.extend([stop.signal, signal.getsignal(signal.SIGTERM)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [0, handlers[signal.SIGTERM]]


def test_message_has_folder_and_iteration(tmp_path):
    stopped = TrainingInterrupted(tmp_path / "town", 12, signal.SIGTERM)
    assert stopped.message == f"training stopped after iteration 12; the checkpoint is in {tmp_path / 'town'}"
    assert stopped.hint == "run the same command to resume"
    assert stopped.signal == 15
