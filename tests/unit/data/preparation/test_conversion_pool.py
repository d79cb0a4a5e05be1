"""Many scenes: side by side or one after another, killed or not, the same files come out, and no two runs meddle."""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest
from helpers.prepared import data_section, labelled_folder, prepared_scene, striped

from geoseg.data.preparation import conversion_pool as conversion
from geoseg.data.preparation.conversion_pool import LOCK_FILE, DiskSpace, lock_folder
from geoseg.data.preparation.convert_scene import convert_scene
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import DataError, OutputError

NAMES = [f"{number:02}" for number in range(12)]
SPLITS = {"train": ["0*"], "val": ["1*"]}
Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Twelve scenes, each some hundredths of a second's work."""
    return labelled_folder(tmp_path_factory.mktemp("many"), names=NAMES, label=striped(700, 700, side=30))


@pytest.fixture(scope="module")
def undisturbed(archives, tmp_path_factory):
    """The scenes, prepared in this process without a break."""
    return prepare(section(archives, tmp_path_factory.mktemp("undisturbed")), "x")


def section(archives, folder, **changes):
    return data_section(archives, prepared=str(folder), splits=SPLITS, **changes)


def content(folder) -> dict[str, bytes | dict]:
    """Every file of a prepared folder; of records all but the time they took."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    found.pop(LOCK_FILE.as_posix())
    return {
        name: json.loads(path.read_text()) | {"seconds": 0} if name.startswith("records/") else path.read_bytes()
        for name, path in found.items()
    }


def test_two_processes_write_what_one_writes(archives, undisturbed, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(conversion, "MIN_PIXELS_FOR_PROCESSES", 0)
    monkeypatch.setattr(conversion.os, "cpu_count", lambda: 2)
    made = prepare(section(archives, tmp_path), "x")
    assert content(made.folder) == content(undisturbed.folder)


DRIVER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from helpers.prepared import data_section
    from geoseg.data.preparation import conversion_pool as conversion
    from geoseg.data.preparation.prepare import prepare

    if {guarded} or __name__ == "__main__":
        conversion.MIN_PIXELS_FOR_PROCESSES = {worth}
        conversion.os.cpu_count = lambda: 2
        section = data_section(Path({root!r}), prepared={folder!r}, splits={splits!r})
        print(prepare(section, "x").folder)
"""


def script(tmp_path, archives, folder, *, worth=0, unguarded=False) -> list[str]:
    """The command that prepares scenes in a process of its own."""
    values = {"tests": str(Path(__file__).parents[3]), "root": str(archives), "folder": str(folder), "splits": SPLITS}
    text = textwrap.dedent(DRIVER).format(**values, worth=worth, guarded=unguarded)
    (tmp_path / "script.py").write_text(text)
    return [sys.executable, str(tmp_path / "script.py")]


def killed_midway(command, folder) -> list[int]:
    """Runs a command until three scenes are done, then kills it; the numbers of the processes it had started.

    Tries again if all scenes were done before anybody looked.
    """
    for _ in range(5):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while len(done(folder)) < 3 and process.poll() is None:
                time.sleep(0.005)
            helpers = children(process.pid)
            process.kill()
        if len(done(folder)) < len(NAMES):
            return helpers
        shutil.rmtree(folder)
    raise AssertionError("the work is done too soon to be interrupted")


def done(folder) -> set[str]:
    """Scenes that have a record in the only folder below."""
    return {path.stem for path in folder.glob("*/records/*.json")}


def children(parent: int) -> list[int]:
    """Processes that were spawned by another; none where the system does not tell."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    numbers = [int(number) for number in listed.read_text().split()] if listed.exists() else []
    return [number for number in numbers if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()]


def ended(number: int) -> bool:
    status = Path(f"/proc/{number}/stat")
    with contextlib.suppress(OSError):
        return status.read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are killed otherwise here")
@pytest.mark.parametrize("worth", [0, 10**12], ids=["two processes", "one process"])
def test_a_run_that_was_killed_goes_on_where_it_was(archives, undisturbed, tmp_path, monkeypatch, worth) -> None:
    command = script(tmp_path, archives, tmp_path / "prepared", worth=worth)
    helpers = killed_midway(command, tmp_path / "prepared")
    until = time.monotonic() + 20
    while not all(map(ended, helpers)):
        assert time.monotonic() < until, "a process goes on although nobody waits for it"
        time.sleep(0.02)
    (folder,) = (tmp_path / "prepared").iterdir()
    before = done(tmp_path / "prepared")
    assert not (folder / "manifest.json").exists()
    assert 3 <= len(before) < len(NAMES)

    converted = []
    monkeypatch.setattr(conversion, "convert_scene", lambda job: converted.append(job.draft.stem) or convert_scene(job))
    made = prepare(section(archives, tmp_path / "prepared"), "x")
    assert made.folder == folder
    assert set(converted) == set(NAMES) - before
    assert content(folder) == content(undisturbed.folder)


def test_a_script_that_forgets_to_guard_its_work_ends_all_the_same(archives, undisturbed, tmp_path) -> None:
    command = script(tmp_path, archives, tmp_path / "prepared", unguarded=True)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "if __name__ == '__main__'" in ran.stderr
    assert content(Path(ran.stdout.strip())) == content(undisturbed.folder)


def test_an_error_in_another_process_is_the_same_sentence(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(conversion, "MIN_PIXELS_FOR_PROCESSES", 0)
    monkeypatch.setattr(conversion.os, "cpu_count", lambda: 2)
    labelled_folder(tmp_path / "data", label=striped(12, 16))
    (tmp_path / "data/labels/b.tif").write_bytes((tmp_path / "data/images/b.tif").read_bytes()[:200])
    with pytest.raises(Exception, match=r"labels/b\.tif") as error:
        prepare(data_section(tmp_path / "data"), "x")
    assert error.value.hint


def test_processes_that_die_leave_the_work_to_this_one(tmp_path, monkeypatch, caplog) -> None:
    def broken(jobs):
        yield jobs[0], convert_scene(jobs[0])
        raise conversion.BrokenProcessPool

    monkeypatch.setattr(conversion, "MIN_PIXELS_FOR_PROCESSES", 0)
    monkeypatch.setattr(conversion.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(conversion, "_convert_in_processes", broken)
    made = prepare(data_section(labelled_folder(tmp_path, names="abc"), splits={"train": "*"}), "x")
    assert [scene.name for scene in made.all_scenes] == ["a", "b", "c"]
    assert "continuing in this process" in caplog.text


def test_room_is_that_of_images_masks_and_validity(tmp_path) -> None:
    scenes = [
        prepared_scene(tmp_path, striped(30, 40), name="labelled"),
        prepared_scene(tmp_path, striped(10, 10), name="bare", labelled=False),
    ]
    assert DiskSpace.estimate(scenes, 4, "uint16") == DiskSpace(1300, 1200 * (8 + 1 + 1) + 100 * (8 + 1))


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch) -> None:
    archives = labelled_folder(tmp_path / "data", label=striped(100, 100))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6 - 99_000, 99_000))
    monkeypatch.setattr(conversion, "convert_scene", None)
    with pytest.raises(OutputError, match=r"0.0 GB are needed in .*, but only 0.0 GB are free") as error:
        prepare(section_of_two(archives, tmp_path), "x")
    assert "data.compress=true" in error.value.hint
    assert list((tmp_path / "prepared").iterdir()) == []


def section_of_two(archives, tmp_path, **changes):
    return data_section(archives, prepared=str(tmp_path / "prepared"), **changes)


def test_only_what_is_left_to_convert_needs_room(tmp_path, monkeypatch) -> None:
    archives = labelled_folder(tmp_path / "data", label=striped(100, 100))
    made = prepare(section_of_two(archives, tmp_path), "x")
    (made.folder / "manifest.json").unlink()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, 0))
    assert prepare(section_of_two(archives, tmp_path), "x") == made


@pytest.mark.parametrize(
    ("free", "compress", "fits"), [(60_000, False, False), (60_000, True, True), (9_000, True, False)]
)
def test_what_has_no_room_may_be_compressed(tmp_path, monkeypatch, free, compress, fits) -> None:
    archives = labelled_folder(tmp_path / "data", label=striped(100, 100))  # 2 scenes of 50 000 bytes
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, free))
    section = section_of_two(archives, tmp_path, compress=compress)
    if fits:
        assert prepare(section, "x").all_scenes[0].compressed == compress
    else:
        with pytest.raises(OutputError, match="GB are needed"):
            prepare(section, "x")


def begun(folder, entered: threading.Event, leave: threading.Event) -> threading.Thread:
    """A thread that holds a folder until it is told to leave."""

    def hold() -> None:
        with lock_folder(folder):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


@pytest.mark.parametrize("kept", [True, False], ids=["something done", "nothing done"])
def test_a_second_run_waits_for_the_first_and_finds_a_folder(tmp_path, caplog, kept) -> None:
    folder = tmp_path / "x"
    entered, leave, second = threading.Event(), threading.Event(), threading.Event()
    second_leaves = threading.Event()
    first = begun(folder, entered, leave)
    assert entered.wait(20)
    if kept:
        (folder / "records/a.json").touch()
    with caplog.at_level(logging.INFO):
        other = begun(folder, second, second_leaves)
        assert not second.wait(0.2)
        leave.set()
        assert second.wait(20)
    assert (folder / LOCK_FILE).read_text() == str(os.getpid())
    assert "Another run is preparing scenes" in caplog.text
    second_leaves.set()
    first.join()
    other.join()
    assert folder.exists() == kept


def test_a_folder_that_is_held_by_the_process_that_started_this_one_is_not_waited_for(tmp_path, monkeypatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    first = begun(tmp_path / "x", entered, leave)
    assert entered.wait(20)
    monkeypatch.setattr(os, "getppid", os.getpid)
    with pytest.raises(OutputError, match="the process that started this one") as error, lock_folder(tmp_path / "x"):
        pass
    assert "__main__" in error.value.hint
    leave.set()
    first.join()


@pytest.mark.parametrize("problem", [DataError("no"), KeyboardInterrupt()])
def test_whatever_ends_a_run_frees_the_folder(tmp_path, problem) -> None:
    for _ in range(2):
        with pytest.raises(type(problem)), lock_folder(tmp_path / "x"):
            raise problem
    assert not (tmp_path / "x").exists()
