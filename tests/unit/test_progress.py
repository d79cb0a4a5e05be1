"""The default progress shows nothing and accepts everything."""

import pytest

from geoseg.progress import silent


def test_silence_takes_any_steps_and_says_nothing(capsys) -> None:
    with silent(3, "tiles") as task:
        task.advance()
        task.advance(2, note="last")
    assert capsys.readouterr() == ("", "")


def test_silence_swallows_no_error() -> None:
    with pytest.raises(RuntimeError, match="stop"), silent(1, "tiles"):
        raise RuntimeError("stop")
