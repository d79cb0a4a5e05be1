"""A run that is stopped or killed at any moment ends, after the same command again, as if nothing had happened."""

import contextlib
import random
import signal
from pathlib import Path

import pytest
import torch
from helpers.runs import IN_STEP_5, QUICK, Running, painted_town, tiny, warm_start, written
from safetensors.torch import load_file

from geoseg.training.checkpoint import Checkpoint
from geoseg.training.loggers import read_metrics

KILLED = """
import os, signal, sys
left = {events}
def count(event, arguments):
    global left
    writes = event in ("os.rename", "os.remove", "os.symlink", "os.mkdir") or (
        event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    )
    if writes and "runs" in str(arguments[0]) and "tensorboard" not in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""
"""The process is killed just before so many files of the run have been opened for writing, renamed or removed."""

SIGNAL = "os.killpg(os.getpgid(0), signal.{})"
"""A signal reaches the process and those it started."""
CTRL_C = SIGNAL.format("SIGINT")
LIMIT = "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))"
"""No file can be longer: what a full disk is to whoever writes."""

TIME_FREE = ("images_per_second", "wait_share", "memory_gb")
"""Columns of the log that tell about the machine."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A town, and a recipe over it in which everything is averaged that can be."""
    root = painted_town(tmp_path_factory.mktemp("town"))
    written(tiny(root, train={"average": 0.9}), root / "tiny.yaml")
    return root


@pytest.fixture(scope="module")
def undisturbed(root, tmp_path_factory):
    """What the run comes to if it is left alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    ended = begin(root, folder).wait()
    assert ended.code == 0, ended.err
    return outcome(folder / "runs" / "tiny")


def begin(root: Path, folder: Path, *arguments: object, before: str = "") -> Running:
    return warm_start().start("train", root / "tiny.yaml", *arguments, cwd=folder, before=QUICK + before)


def outcome(run: Path) -> dict[str, object]:
    """All that a run leaves behind and that does not tell about time."""
    checkpoint = {name: value for name, value in vars(Checkpoint.load(run)).items() if name != "recipe"}
    rows = [
        {name: value for name, value in row.items() if name not in TIME_FREE}
        for row in read_metrics(run / "log/metrics.csv")
    ]
    return {"checkpoint": checkpoint, "best": load_file(run / "best.safetensors"), "rows": rows}


def is_equal(one: object, other: object) -> bool:
    """Equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(is_equal(one[k], other[k]) for k in one)
    return one == other


def is_finished(folder: Path) -> bool:
    run = folder / "runs" / "tiny"
    return (run / "last.ckpt").exists() and Checkpoint.load(run).finished


def folders(folder: Path) -> set[str]:
    return {path.name for path in (folder / "runs").iterdir()}


@pytest.mark.parametrize("seed", [1])
def test_a_run_killed_at_any_file_it_touches_ends_as_if_nothing_had_happened(root, undisturbed, tmp_path, seed):
    chance = random.Random(seed)
    codes = []
    while 0 not in codes:
        events = chance.randint(1, 40) if len(codes) < 4 else 10_000
        ended = begin(root, tmp_path, before=KILLED.format(events=events)).wait()
        assert ended.code in (0, -signal.SIGKILL), ended.err
        codes.append(ended.code)
    assert len(codes) > 2
    assert folders(tmp_path) == {"tiny", "latest"}
    assert is_equal(outcome(tmp_path / "runs" / "tiny"), undisturbed)


def test_a_run_killed_at_random_times_ends_as_if_nothing_had_happened(root, undisturbed, tmp_path):
    chance = random.Random(1)
    for seconds in [*(chance.uniform(0.2, 1.2) for _ in range(5)), 200]:
        running = begin(root, tmp_path, "--set", "train.workers=2")
        with contextlib.suppress(TimeoutError):
            running.wait(seconds)
            break
        running.signal(signal.SIGKILL)
        ended = running.wait()
        assert ended.code == -signal.SIGKILL, ended.err
        if is_finished(tmp_path):
            break
    assert folders(tmp_path) == {"tiny", "latest"}
    assert is_equal(outcome(tmp_path / "runs" / "tiny"), undisturbed)


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 1), ("SIGINT", 130)])
def test_a_signal_lets_the_step_end_and_nothing_is_lost(root, undisturbed, tmp_path, name, code):
    before = IN_STEP_5.format(do=SIGNAL.format(name))
    ended = begin(root, tmp_path, "--set", "train.workers=2", before=before).wait()
    assert ended.code == code
    assert ended.out == ""
    assert ended.err.splitlines()[-2:] == [
        "Error: training stopped after iteration 5; the checkpoint is in runs/tiny",
        "Hint: run the same command to resume",
    ]
    assert Checkpoint.load(tmp_path / "runs" / "tiny").state.iteration == 5
    ended = begin(root, tmp_path).wait()
    assert "Resuming runs/tiny after iteration 5 of 12." in ended.err
    assert is_equal(outcome(tmp_path / "runs" / "tiny"), undisturbed)


def test_a_second_ctrl_c_does_not_wait_and_the_last_checkpoint_stays(root, tmp_path):
    ended = begin(root, tmp_path, before=IN_STEP_5.format(do=f"{CTRL_C}; {CTRL_C}")).wait()
    assert ended.code == 130
    assert "stopped by the user" in ended.err
    assert Checkpoint.load(tmp_path / "runs" / "tiny").state.iteration == 3


def test_a_full_disk_is_one_sentence_and_the_older_checkpoint_stays(root, undisturbed, tmp_path):
    ended = begin(root, tmp_path, before=IN_STEP_5.format(do=LIMIT)).wait()
    assert ended.code == 1
    message, hint = ended.err.splitlines()[-2:]
    assert message == "Error: runs/tiny/last.ckpt cannot be written: File too large"
    assert hint == "Hint: free some space on its disk, or choose another folder"
    assert Checkpoint.load(tmp_path / "runs" / "tiny").state.iteration == 3
    assert begin(root, tmp_path).wait().code == 0
    assert is_equal(outcome(tmp_path / "runs" / "tiny"), undisturbed)


def test_a_disk_that_was_full_before_is_told_of_at_once_and_nothing_is_left_behind(root, tmp_path):
    ended = begin(root, tmp_path, before=f"import resource\n{LIMIT}").wait()
    assert ended.code == 1
    assert ended.err.startswith("Error: runs/tiny/last.ckpt cannot be written: ")
    assert folders(tmp_path) == set()
