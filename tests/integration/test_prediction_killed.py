"""``geoseg predict``, killed at any moment: the same command with --resume ends as if nothing had happened."""

import random
import signal
import time

import pytest
from helpers.predictions import files_in, saved_model, tall_scene
from helpers.runs import warm_start

RESULTS = ("mask.tif", "mask.tif.aux.xml", "shares.tif")
DONE = "exists already"
"""What is said if the last kill came when everything was done."""

KILLED = """
import os, signal, sys
left = {events}
def count(event, arguments):
    global left
    writes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir") or (
        event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    )
    if writes and "mask" in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""
"""The process is killed just before so many files around the mask have been made, opened for writing or renamed."""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A scene of four slabs, a model, and a folder for what commands say."""
    folder = tmp_path_factory.mktemp("work")
    tall_scene(folder / "scene.tif", height=1600)
    saved_model(folder / "town.safetensors")
    return folder


@pytest.fixture(scope="module")
def undisturbed(work, tmp_path_factory):
    """The files of a run that is left alone, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    warm_start().start("--version", cwd=work).wait()
    begun = time.monotonic()
    ended = begin(work, folder).wait()
    assert ended.code == 0, ended.err
    assert set(files_in(folder)) == set(RESULTS)
    return files_in(folder), time.monotonic() - begun


def begin(work, folder, *arguments, before=""):
    usual = ["--model", "town.safetensors", "--engine", "torch", "--precision", "float32", "--device", "cpu"]
    outputs = ["-o", folder / "mask.tif", "--probabilities", folder / "shares.tif"]
    return warm_start().start("predict", "scene.tif", *outputs, *usual, *arguments, cwd=work, before=before)


def wait_for_slabs(running, folder, number):
    """Until the command has begun, and so many slabs are there, or the mask."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        begun = running.log.with_suffix(".err").exists()
        slabs = len(list(folder.glob(".mask.tif.part/mask-*.tif")))
        if begun and (slabs >= number or (folder / "mask.tif").exists()):
            return
        time.sleep(0.002)


def require_only_whole_results(folder, files):
    """Whatever has its final name is whole."""
    there = files_in(folder)
    assert all(there[name] == files[name] for name in RESULTS if name in there)


@pytest.mark.parametrize("seed", [0])
def test_killed_at_random_times(work, undisturbed, tmp_path, seed):
    (files, seconds), chance = undisturbed, random.Random(seed)
    kills = 0
    while True:
        running = begin(work, tmp_path, "--resume")
        if kills < 5:
            wait_for_slabs(running, tmp_path, min(kills, 3))
            time.sleep(chance.uniform(0, seconds / 8))
            running.signal(signal.SIGKILL)
        ended = running.wait()
        require_only_whole_results(tmp_path, files)
        if ended.code != -signal.SIGKILL:
            break
        kills += 1
    assert kills > 0
    require_ended_well(ended, tmp_path, files)


@pytest.mark.parametrize("seed", [0])
def test_killed_at_any_file_it_touches(work, undisturbed, tmp_path, seed):
    (files, _), chance = undisturbed, random.Random(seed)
    codes = []
    while not codes or codes[-1] == -signal.SIGKILL:
        events = chance.randint(3, 14) if len(codes) < 5 else 10_000
        ended = begin(work, tmp_path, "--resume", before=KILLED.format(events=events)).wait()
        require_only_whole_results(tmp_path, files)
        codes.append(ended.code)
    assert len(codes) > 2
    require_ended_well(ended, tmp_path, files)


def require_ended_well(ended, folder, files):
    there = files_in(folder)
    if ended.code == 1:
        assert DONE in ended.err
        assert {name: there.get(name) for name in RESULTS} == files
        return
    assert ended.code == 0, ended.err
    assert there == files


def test_ctrl_c_is_one_sentence_and_resume_goes_on(work, undisturbed, tmp_path):
    before = """
import os, signal
from geoseg.raster.writers.partial import PartialRasters
write = PartialRasters._write
def interrupting(self, slab):
    write(self, slab)
    os.kill(os.getpid(), signal.SIGINT)
PartialRasters._write = interrupting
"""
    ended = begin(work, tmp_path, before=before).wait()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert "1 of 4 parts are done" in ended.err
    assert "use --resume to continue" in ended.err
    ended = begin(work, tmp_path).wait()
    assert ended.code == 1
    assert "Hint: use --resume to continue it" in ended.err
    ended = begin(work, tmp_path, "--resume").wait()
    assert ended.code == 0, ended.err
    assert "Resuming: 1 of 4 parts" in ended.err
    assert files_in(tmp_path) == undisturbed[0]
