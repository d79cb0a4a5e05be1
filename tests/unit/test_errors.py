"""Errors: a sentence, a hint, and the nearest known word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg import errors
from geoseg._text import did_you_mean
from geoseg.errors import GeosegError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GeosegError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_carries_its_message_and_its_hint(kind) -> None:
    error = kind("the file is gone", "look elsewhere")
    assert (error.message, error.hint, str(error)) == ("the file is gone", "look elsewhere", "the file is gone")
    assert kind("the file is gone").hint == ""


def test_the_tree_in_the_docstring_names_every_error() -> None:
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in errors.__doc__] == []


def test_a_mismatch_of_grids_is_an_error_of_scenes() -> None:
    assert issubclass(errors.GridMismatch, errors.SceneError)


@given(st.lists(st.text("abcdefgh", min_size=3), min_size=1, unique=True))
def test_a_known_word_is_nearest_to_itself(words) -> None:
    assert did_you_mean(words[0], words) == f"did you mean {words[0]}?"


def test_a_slip_is_answered_with_the_word_that_was_meant() -> None:
    assert did_you_mean("deeplab3plus", ["fcn", "deeplabv3plus", "deeplabv3"]) == "did you mean deeplabv3plus?"


def test_a_word_like_no_other_is_answered_with_all_of_them() -> None:
    assert did_you_mean("xyz", ["fcn", "deeplabv3"]) == "choose one of deeplabv3, fcn"
    assert did_you_mean("xyz", []) == "there are no candidates"
