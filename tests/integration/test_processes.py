"""Two processes train together what one would alone, and everything is told and written once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from helpers.runs import GEOSEG, IN_STEP_5, QUICK, Ended, Running, painted_town, tiny, warm_start, written

from geoseg.training.checkpoint import Checkpoint
from geoseg.training.loggers import read_metrics

TORCHRUN = GEOSEG.with_name("torchrun")
CALM = {"OMP_NUM_THREADS": "1"}
SIGNAL = "os.kill(os.getpid(), signal.{})"
"""A signal reaches the process alone."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A recipe without anything that shares of a batch would see otherwise than the whole: dropout and padding."""
    root = painted_town(tmp_path_factory.mktemp("town"))
    recipe = tiny(
        root,
        model={
            "backbone": "lcnet_050",
            "head": {"name": "fcn", "channels": 8, "dropout": 0.0},
            "output_stride": 16,
            "auxiliary_weight": 0,
        },
        augment={"scale": [1.0, 1.0]},
        train={"average": 0.9},
    )
    written(recipe, root / "tiny.yaml")
    return root


@pytest.fixture(scope="module")
def alone(root, tmp_path_factory):
    """What one process comes to."""
    folder = tmp_path_factory.mktemp("alone")
    ended = begin(root, folder).wait()
    assert ended.code == 0, ended.err
    return folder / "runs" / "tiny"


def begin(root: Path, folder: Path, *arguments: object, before: str = "", env: dict[str, str] | None = None) -> Running:
    return warm_start().start("train", root / "tiny.yaml", *arguments, cwd=folder, before=QUICK + before, env=env)


def a_pair(root: Path, folder: Path, *, second: str = "") -> list[Running]:
    """Two processes as torchrun starts them; ``second`` is Python that the second one executes first."""
    free = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"
    port = subprocess.run([sys.executable, "-c", free], capture_output=True, text=True, check=True).stdout.strip()
    shared = {
        "TORCHELASTIC_RUN_ID": "pair", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip
    return [
        begin(root, folder, before=second if rank else "", env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in (0, 1)
    ]


def require_same(run: Path, alone: Path) -> None:
    """The curve, the weights and their average, but for the order in which numbers are added up."""
    curves = [[float(row["loss"]) for row in read_metrics(each / "log" / "metrics.csv")] for each in (run, alone)]
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert len(set(curves[1])) == 3
    mine, theirs = (Checkpoint.load(each) for each in (run, alone))
    assert mine.finished
    for name in ("network", "average"):
        for key, value in getattr(theirs, name).items():
            assert torch.allclose(getattr(mine, name)[key], value, rtol=1e-3, atol=1e-4), (name, key)


def require_told_once(ended: Ended, runs: Path) -> None:
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == ["runs/tiny/best.safetensors"]
    assert [ended.err.count(f"Iteration {iteration}: ") for iteration in (4, 8, 12)] == [1, 1, 1]
    assert ended.err.count("mean_iou: ") == 1
    warnings = [line for line in ended.err.splitlines() if "Warning" in line and "the prediction is" not in line]
    assert warnings == []
    assert "Traceback" not in ended.err
    assert {path.name for path in runs.iterdir()} == {"tiny", "latest"}
    assert [row["iteration"] for row in read_metrics(runs / "tiny" / "log" / "metrics.csv")] == ["4", "8", "12"]
    assert len(list((runs / "tiny" / "log" / "tensorboard").iterdir())) == 1
    assert {path.name for path in (runs / "tiny").iterdir()} >= {"best.safetensors", "last.ckpt", "validation.png"}


def test_two_devices_train_what_one_does(root, alone, tmp_path):
    ended = begin(root, tmp_path, "--devices", 2).wait()
    require_told_once(ended, tmp_path / "runs")
    require_same(tmp_path / "runs" / "tiny", alone)


def test_torchrun_trains_what_one_process_does(root, alone, tmp_path):
    command = [TORCHRUN, "--nproc-per-node", "2", GEOSEG, "train", root / "tiny.yaml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | CALM, check=False)
    require_told_once(Ended(ran.returncode, ran.stdout, ran.stderr), tmp_path / "runs")
    require_same(tmp_path / "runs" / "tiny", alone)


def test_a_signal_to_either_process_stops_both_and_one_process_can_go_on(root, alone, tmp_path):
    first, second = a_pair(root, tmp_path, second=IN_STEP_5.format(do=SIGNAL.format("SIGTERM")))
    ended = first.wait()
    assert ended.code == 1
    assert ended.err.splitlines()[-2:] == [
        "Error: training stopped after iteration 5; the checkpoint is in runs/tiny",
        "Hint: run the same command to resume",
    ]
    assert second.wait().code == 1
    ended = begin(root, tmp_path).wait()
    assert "Resuming runs/tiny after iteration 5 of 12." in ended.err
    require_same(tmp_path / "runs" / "tiny", alone)


def test_two_processes_go_on_with_what_one_began(root, alone, tmp_path):
    assert begin(root, tmp_path, before=IN_STEP_5.format(do=SIGNAL.format("SIGKILL"))).wait().code == -signal.SIGKILL
    first, second = (running.wait() for running in a_pair(root, tmp_path))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "Resuming runs/tiny after iteration 3 of 12." in first.err
    assert (second.out, second.err) == ("", "")
    require_same(tmp_path / "runs" / "tiny", alone)


def test_no_process_is_left_when_the_first_is_killed(root, tmp_path):
    running = begin(root, tmp_path, "--devices", 2, before=IN_STEP_5.format(do=SIGNAL.format("SIGKILL")))
    assert running.wait().code == -signal.SIGKILL
    assert Checkpoint.load(tmp_path / "runs" / "tiny").state.iteration == 3
    end = time.monotonic() + 60
    while is_alive(running.pid):
        assert time.monotonic() < end
        time.sleep(0.1)


def is_alive(group: int) -> bool:
    """True while a process of a group lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_batch_that_processes_cannot_share_is_one_sentence(root, tmp_path):
    ended = begin(root, tmp_path, "--devices", 3).wait()
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "Error: a batch of 4 crops cannot be divided among 3 processes",
        "Hint: set train.batch to a multiple of 3",
    ]
    assert not (tmp_path / "runs").exists()
