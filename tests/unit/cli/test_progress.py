"""Progress on stderr: when bars and lines appear, what they show, and when they are silent."""

import contextlib
import io
import threading

import pytest
import tqdm.std

from geoseg.progress import silent, tqdm_progress


@pytest.fixture
def progress(geoseg_command):
    """The module that shows progress, from the installed command line."""
    return __import__(geoseg_command.callback.__module__.replace("main", "progress"), fromlist=["ProgressLines"])


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(tqdm.std, "time", clock)
    return clock


class Screen:
    """A terminal; ``getvalue()`` is all that was written to stderr."""

    def __init__(self, capsys):
        self.capsys, self.text, self.columns = capsys, "", 90

    def getvalue(self):
        self.text += self.capsys.readouterr().err
        return self.text


@pytest.fixture
def screen(monkeypatch, capsys):
    screen = Screen(capsys)
    monkeypatch.setattr(tqdm.std, "_screen_shape_wrapper", lambda: lambda _stream: (screen.columns, 24))
    return screen


def test_work_of_less_than_two_seconds_shows_nothing(screen, clock):
    with tqdm_progress(10, "Predicting") as task:
        for _ in range(10):
            clock.now += 0.19
            task.advance()
    assert screen.getvalue() == ""


def test_longer_work_shows_share_count_rate_time_left_and_note(screen, clock):
    with tqdm_progress(100, "Predicting") as task:
        clock.now += 5
        task.advance(25, "row 3")
        shown = screen.getvalue()
    assert shown.strip().startswith("Predicting:  25%|")
    assert "| 25/100 [00:05<00:15,  5.00it/s, row 3]" in shown


@pytest.mark.parametrize("columns", [90, 70, 60, 54])
def test_in_a_narrow_terminal_the_bar_shrinks_and_the_numbers_stay(screen, clock, columns):
    screen.columns = columns
    with tqdm_progress(100, "Predicting") as task:
        clock.now += 5
        task.advance(25, "loss 0.1")
        shown = screen.getvalue().strip("\r\n ")
    assert len(shown) <= columns
    assert "25/100 [00:05<00:15,  5.00it/s" in shown


def test_a_shown_bar_ends_in_a_line_with_the_time_it_took(screen, clock):
    with tqdm_progress(2, "Predicting") as task:
        clock.now += 75
        task.advance(2)
    last = screen.getvalue().rpartition("\r")[2]
    assert last.startswith("Predicting: 100%|")
    assert "2/2 [01:15<00:00" in last
    assert last.endswith("\n")


def test_a_failed_task_leaves_an_empty_line(screen, clock):
    with contextlib.suppress(ZeroDivisionError), tqdm_progress(2, "Predicting") as task:
        clock.now += 75
        task.advance()
        raise ZeroDivisionError
    assert screen.getvalue().endswith("\r")
    assert screen.getvalue().split("\r")[-2].strip() == ""
    assert "\n" not in screen.getvalue()


def test_an_inner_task_leaves_no_line_behind(screen, clock):
    with tqdm_progress(2, "Training"):
        with tqdm_progress(2, "Validating") as inner:
            clock.now += 75
            inner.advance(2)
            assert "Validating: 100%" in screen.getvalue()
        after = screen.getvalue().rpartition("s/it]")[2].replace("\x1b[A", "")
    assert len(after) > 60, "spaces overwrite the line"
    assert after.strip() == ""


def test_drawings_are_at_least_a_tenth_of_a_second_apart(screen, clock):
    with tqdm_progress(1000, "Predicting") as task:
        for _ in range(900):
            clock.now += 0.01
            task.advance()
        assert 60 < screen.getvalue().count("Predicting:") <= 71


def test_a_total_of_zero_and_more_steps_than_announced_do_no_harm(screen, clock):
    for total in (0, 1):
        with tqdm_progress(total, "Counting") as task:
            clock.now += 3
            task.advance(5)
        assert "5" in screen.getvalue().rpartition("Counting")[2]


def test_steps_of_an_earlier_run_count_but_do_not_change_the_rate(screen, clock):
    with tqdm_progress(100, "Training", done=80) as task:
        clock.now += 10
        task.advance(10)
        shown = screen.getvalue()
    assert "90%" in shown
    assert "90/100 [00:10<00:10,  1.00it/s]" in shown


def test_bars_start_no_thread(screen, clock):
    before = set(threading.enumerate())
    with tqdm_progress(3, "Counting") as task:
        task.advance()
        assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (754, "12:34"), (11100, "3:05:00")])
def test_durations_are_formatted_as_a_clock_shows_them(progress, seconds, shown):
    assert progress.format_duration(seconds) == shown


def test_a_log_file_gets_a_line_a_minute(progress, clock):
    log = io.StringIO()
    with progress.ProgressLines(1000, "Training", log, clock, done=500) as task:
        for step in range(150):
            clock.now += 1
            task.advance(note=f"loss {step}")
    lines = log.getvalue().splitlines()
    assert [line[line.index("loss") :] for line in lines] == ["loss 59]", "loss 119]"]
    assert lines[0].startswith("Training:  56%")
    assert "560/1000 [01:00<07:20,  1.00it/s" in lines[0]
    assert "\r" not in log.getvalue()


def test_a_log_file_shows_no_short_work(progress, clock):
    log = io.StringIO()
    with progress.ProgressLines(50, "Training", log, clock) as task:
        for _ in range(50):
            clock.now += 1
            task.advance()
    assert log.getvalue() == ""


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, "_TqdmTask"), (False, "ProgressLines")])
def test_bars_are_drawn_on_terminals_and_lines_elsewhere(progress, monkeypatch, is_terminal, kind):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: is_terminal, raising=False)
    with progress.current_progress()(3, "Counting") as task:
        assert type(task).__name__ == kind


def test_quiet_draws_no_bars(progress, geoseg_command, monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    with geoseg_command.make_context("geoseg", ["--quiet", "recipes"]):
        assert progress.current_progress() is silent
