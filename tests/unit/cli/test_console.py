"""What goes to stdout, what to stderr, and how much of the library's log is shown."""

import logging
import warnings

import pytest

from geoseg.config import load
from geoseg.errors import GeosegWarning


@pytest.fixture
def console(geoseg_command):
    return __import__(geoseg_command.callback.__module__.replace("main", "console"), fromlist=["table"])


@pytest.fixture
def chatty(monkeypatch):
    """Makes ``geoseg recipes`` say something at every level."""

    def recipe_names():
        log = logging.getLogger("geoseg.config.load")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            log.log(level, "level %d", level)
        return {"town.yaml": "A town."}

    monkeypatch.setattr(load, "list_recipes", recipe_names)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], "Warning: level 30\nError: level 40\n"),
        (["-v"], "level 20\nWarning: level 30\nError: level 40\n"),
        (["-vv"], "level 10\nlevel 20\nWarning: level 30\nError: level 40\n"),
        (["-q"], "Error: level 40\n"),
    ],
)
@pytest.mark.usefixtures("chatty")
def test_the_log_goes_to_stderr_as_loud_as_asked_for(geoseg, options, shown):
    for call in ([*options, "recipes"], ["recipes", *options]):
        result = geoseg(*call)
        assert result.stderr == shown
        assert "town" in result.stdout


def test_developers_warnings_are_shown_only_with_v(geoseg, monkeypatch):
    def recipe_names():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("some library is old", DeprecationWarning, stacklevel=2)
        return {}

    monkeypatch.setattr(load, "list_recipes", recipe_names)
    assert geoseg("recipes").stderr == ""
    assert "some library is old" in geoseg("-v", "recipes").stderr


def test_old_spellings_are_reported_without_v_but_not_with_q(geoseg, monkeypatch):
    def list_recipes():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("'zoo' is now called 'openmmlab'", GeosegWarning, stacklevel=2)
        return {}

    monkeypatch.setattr(load, "list_recipes", list_recipes)
    assert geoseg("recipes").stderr == "Warning: 'zoo' is now called 'openmmlab'\n"
    assert geoseg("-q", "recipes").stderr == ""


def test_logging_is_as_before_after_a_command(geoseg):
    log = logging.getLogger("geoseg")
    before = log.level, list(log.handlers)
    geoseg("recipes")
    assert (log.level, log.handlers) == before


def test_tables_align_text_left_and_numbers_right(console):
    shown = console.table(("class", "pixels"), [("road", "7"), ("low vegetation", "1,234")])
    assert shown.splitlines() == [
        "class           pixels",
        "--------------  ------",
        "road                 7",
        "low vegetation   1,234",
    ]


def test_a_table_without_rows_is_its_header(console):
    assert console.table(("class",), []).splitlines() == ["class", "-----"]
