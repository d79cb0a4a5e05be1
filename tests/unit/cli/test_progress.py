"""Progress bars: when they appear, what they say, and when they are silent."""

import contextlib
import io

import pytest

from geoseg.progress import silent


@pytest.fixture
def progress(geoseg_command):
    """The module that draws bars, from the installed command line."""
    return __import__(geoseg_command.callback.__module__.replace("main", "progress"), fromlist=["Bar"])


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_work_of_less_than_two_seconds_shows_nothing(progress, clock):
    screen = io.StringIO()
    with progress.Bar(10, "Predicting", screen, clock) as task:
        for _ in range(10):
            clock.now += 0.19
            task.advance()
    assert screen.getvalue() == ""


def test_longer_work_shows_share_count_rate_time_left_and_note(progress, clock):
    screen = io.StringIO()
    with progress.Bar(100, "Predicting", screen, clock) as task:
        clock.now += 5
        task.advance(25, "row 3")
        assert "Predicting   25%  [###.........]  25/100  5.0/s  0:15 left  row 3" in screen.getvalue()


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (90, "Predicting   25%  [###.........]  25/100  5.0/s  0:15 left  loss 0.123, lr 0.01"),
        (70, "Predicting   25%  25/100  5.0/s  0:15 left  loss 0.123, lr 0.01"),
        (60, "Predicting   25%  25/100  0:15 left  loss 0.123, lr 0.01"),
        (54, "Predicting  25/100  0:15 left  loss 0.123, lr 0.01"),
    ],
)
def test_where_it_is_narrow_numbers_matter_more_than_the_bar(progress, clock, width, line):
    with progress.Bar(100, "Predicting", io.StringIO(), clock) as task:
        clock.now += 5
        task.advance(25, "loss 0.123, lr 0.01")
        assert task.line(width) == line


def test_a_shown_bar_ends_in_a_line_with_the_time_it_took(progress, clock):
    screen = io.StringIO()
    with progress.Bar(2, "Predicting", screen, clock) as task:
        clock.now += 75
        task.advance(2)
    assert screen.getvalue().endswith("Predicting: 1:15\n")


def test_a_failed_task_leaves_an_empty_line(progress, clock):
    screen = io.StringIO()
    with contextlib.suppress(ZeroDivisionError), progress.Bar(2, "Predicting", screen, clock) as task:
        clock.now += 75
        task.advance()
        raise ZeroDivisionError
    assert screen.getvalue().endswith("\r\033[K")
    assert not progress.Bar.running


def test_an_inner_task_leaves_no_line_behind(progress, clock):
    screen = io.StringIO()
    with progress.Bar(2, "Training", screen, clock):
        with progress.Bar(2, "Validating", screen, clock) as inner:
            clock.now += 75
            inner.advance(2)
        assert "\n" not in screen.getvalue()


def test_drawings_are_at_least_a_tenth_of_a_second_apart(progress, clock):
    screen = io.StringIO()
    with progress.Bar(1000, "Predicting", screen, clock) as task:
        for _ in range(900):
            clock.now += 0.01
            task.advance()
    assert 60 < screen.getvalue().count("Predicting  ") <= 71


def test_a_total_of_zero_and_more_steps_than_announced_do_no_harm(progress, clock):
    for total in (0, 1):
        with progress.Bar(total, "Counting", io.StringIO(), clock) as task:
            clock.now += 3
            task.advance(5)
            assert "100%" in task.line()


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (11100, "3:05:00")])
def test_seconds_as_a_clock_shows_them(progress, seconds, shown):
    assert progress.clock_face(seconds) == shown


@pytest.mark.parametrize(("rate", "shown"), [(120.4, "120/s"), (2.5, "2.5/s"), (0.25, "4.0 s each"), (0, "")])
def test_slow_work_is_measured_in_seconds_per_step(progress, rate, shown):
    assert progress.pace(rate) == shown


def test_steps_done_before_count_but_tell_nothing_about_speed(progress, clock):
    with progress.Bar(100, "Training", io.StringIO(), clock, done=80) as task:
        clock.now += 10
        task.advance(10)
        assert "90%" in task.line()
        assert "90/100  1.0/s  0:10 left" in task.line()


def test_a_log_file_gets_a_line_a_minute(progress, clock):
    log = io.StringIO()
    with progress.Lines(1000, "Training", log, clock) as task:
        for step in range(150):
            clock.now += 1
            task.advance(note=f"loss {step}")
    lines = log.getvalue().splitlines()
    assert [line[line.index("loss") :] for line in lines] == ["loss 59", "loss 119"]
    assert "\r" not in log.getvalue()


def test_a_log_file_is_not_bothered_with_short_work(progress, clock):
    log = io.StringIO()
    with progress.Lines(50, "Training", log, clock) as task:
        for _ in range(50):
            clock.now += 1
            task.advance()
    assert log.getvalue() == ""


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, "Bar"), (False, "Lines")])
def test_bars_are_drawn_on_terminals_and_lines_elsewhere(progress, monkeypatch, is_terminal, kind):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: is_terminal, raising=False)
    assert type(progress.bars()(3, "Counting")).__name__ == kind


def test_quiet_draws_no_bars(progress, geoseg_command, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with geoseg_command.make_context("geoseg", ["--quiet", "recipes"]):
        assert progress.bars() is silent
