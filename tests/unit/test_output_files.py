"""A result that could not be written is refused before the work, not after."""

import errno
import os
from pathlib import Path

import pytest

from geoseg._output_files import (
    atomic_path,
    check_writable,
    hint_for_write_error,
    output_errors,
    remove_files,
    temporary_path,
)
from geoseg.errors import OutputError


def refusal(path: Path, *, overwrite: bool = False) -> OutputError:
    with pytest.raises(OutputError) as caught:
        check_writable(path, overwrite)
    assert caught.value.hint
    return caught.value


def test_a_new_file_in_a_folder_is_fine_and_nothing_is_left(tmp_path: Path) -> None:
    check_writable(tmp_path / "mask.tif", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_needs_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    path.write_text("precious")
    assert "--overwrite" in refusal(path).hint
    check_writable(path, overwrite=True)
    assert path.read_text() == "precious"


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    error = refusal(tmp_path / "maps" / "mask.tif")
    assert "does not exist" in error.message
    assert "mkdir -p" in error.hint


def test_a_folder_cannot_be_overwritten(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path, overwrite=True).message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written" in refusal(tmp_path / "mask.tif").message
    finally:
        tmp_path.chmod(0o700)


def test_the_system_refusing_the_file_is_an_output_error(tmp_path: Path) -> None:
    assert "cannot be written" in refusal(tmp_path / ("x" * 300 + ".tif")).message


def test_parts_lie_hidden_beside_the_target_with_its_suffix() -> None:
    assert temporary_path(Path("maps/mask.tif")) == Path("maps/.mask.tif.part.tif")
    assert temporary_path(Path("mask.tif"), "cog") != temporary_path(Path("mask.tif"))


def test_errors_name_the_target_and_keep_the_cause(tmp_path: Path) -> None:
    expected = pytest.raises(OutputError, match=r"mask\.tif cannot be written: No space left")
    with expected as caught, output_errors(tmp_path / "mask.tif"):
        raise OSError(28, "No space left on device")
    assert isinstance(caught.value.__cause__, OSError)


def test_removing_does_not_mind_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    remove_files(tmp_path / "a", tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_file_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text("old")
    with atomic_path(path, fsync=True) as temporary:
        temporary.write_text("new")
        assert (temporary.name, path.read_text()) == (".scores.json.part.json", "old")
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "scores.json"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["scores.json"]
    assert path.read_text() == "old"


def test_the_temporary_path_can_be_chosen(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "latest", temporary=tmp_path / ".latest.run.part") as temporary:
        temporary.write_text("run")
    assert [file.name for file in tmp_path.iterdir()] == ["latest"]


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "free some space"),
        (OSError(errno.EFBIG, "File too large"), "free some space"),
        (OSError(errno.EACCES, "Permission denied"), "check the permissions"),
        (OSError(errno.EROFS, "Read-only file system"), "check the permissions"),
        (OSError(errno.ENAMETOOLONG, "File name too long"), "use a shorter file name"),
        (RuntimeError("sqlite3_exec() failed: database or disk is full"), "free some space"),
        (RuntimeError("attempt to write a readonly database"), "check the permissions"),
    ],
)
def test_the_hint_of_a_write_error_follows_from_its_cause(error, hint) -> None:
    assert hint_for_write_error(error, str(error)).startswith(hint)
    if isinstance(error, OSError):
        with pytest.raises(OutputError) as caught, output_errors(Path("a.tif")):
            raise error
        assert caught.value.hint.startswith(hint)
        assert caught.value.__cause__ is error
