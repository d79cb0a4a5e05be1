"""Folders of runs: none is shared, none is lost, and an interrupted one goes on if it is the same run."""

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies_training import tiny

from geoseg.bundle import BEST_NAME
from geoseg.errors import BundleError, ConfigError, DataError, GeosegError, OutputError
from geoseg.inference.model_lookup import newest_bundle
from geoseg.training.checkpoint import NAME, Checkpoint, Standing
from geoseg.training.loggers import METRICS, CsvLog, read
from geoseg.training.run_folder import open_run, point_latest_to

RECIPE = tiny(Path("town"))
OTHER = tiny(Path("town"), train={"learning_rate": 0.5})


def opened(runs, recipe=RECIPE, data="data", name="town", **wishes):
    return open_run(Path(runs), name, recipe, data, **wishes)


def left(runs, recipe=RECIPE, data="data", *, iteration=5, finished=False) -> Path:
    """A new run that came so far, and whose process is gone."""
    with opened(runs, fresh=True) as run:
        Checkpoint(recipe.model_dump(mode="json"), data, Standing(iteration), {}, {}, finished=finished).save(
            run.folder
        )
    return run.folder


def damage(run: Path) -> None:
    content = (run / NAME).read_bytes()
    (run / NAME).write_bytes(content[: len(content) // 2])


def test_runs_that_begin_at_once_never_share_a_folder(tmp_path):
    with ExitStack() as at_work, ThreadPoolExecutor(8) as pool:
        runs = [at_work.enter_context(run) for run in pool.map(lambda _: opened(tmp_path / "runs"), range(8))]
    assert {run.folder.name for run in runs} == {"town", *(f"town-{number}" for number in range(2, 9))}


def test_the_same_run_goes_on_where_it_was_interrupted(tmp_path):
    folder = left(tmp_path)
    with opened(tmp_path) as run:
        assert run.folder == folder
        assert run.checkpoint.standing.iteration == 5


def test_the_newest_of_several_interrupted_runs_goes_on(tmp_path):
    for _ in range(10):
        newest = left(tmp_path)
    assert newest.name == "town-10"
    with opened(tmp_path, resume=True) as run:
        assert run.folder == newest


def test_a_run_at_work_is_left_alone(tmp_path):
    left(tmp_path)
    with opened(tmp_path) as first, opened(tmp_path) as second:
        assert (first.folder.name, second.folder.name) == ("town", "town-2")
        assert second.checkpoint is None


def test_a_run_that_came_to_its_end_is_followed_by_a_new_one(tmp_path):
    left(tmp_path)
    left(tmp_path, finished=True)
    with opened(tmp_path) as run:
        assert (run.folder.name, run.checkpoint) == ("town-3", None)


def test_fresh_begins_anew(tmp_path):
    left(tmp_path)
    with opened(tmp_path, fresh=True) as run:
        assert (run.folder.name, run.checkpoint) == ("town-2", None)


@pytest.mark.parametrize("finished", [True, None])
def test_resume_wants_a_run_that_was_interrupted(tmp_path, finished):
    if finished:
        left(tmp_path, finished=True)
    with pytest.raises(BundleError, match="no interrupted run called town") as caught:
        opened(tmp_path, resume=True)
    assert "without --resume" in caught.value.hint


@pytest.mark.parametrize(
    ("wishes", "error", "sentence"),
    [
        ({"recipe": OTHER}, ConfigError, r"the recipe has changed .*: train\.learning_rate$"),
        ({"data": "other"}, DataError, "the training data has changed"),
        ({}, BundleError, r"last\.ckpt cannot be read"),
    ],
)
def test_a_run_that_is_not_the_same_any_more_says_so_or_is_left_as_it_is(tmp_path, caplog, wishes, error, sentence):
    folder = left(tmp_path)
    if not wishes:
        damage(folder)
    before = (folder / NAME).read_bytes()
    with pytest.raises(error, match=sentence) as caught:
        opened(tmp_path, resume=True, **wishes)
    assert "--fresh" in caught.value.hint
    with caplog.at_level("INFO", "geoseg"), opened(tmp_path, **wishes) as run:
        assert (run.folder.name, run.checkpoint) == ("town-2", None)
    assert f"{folder} is left as it is: {caught.value.message}" in caplog.text
    assert (folder / NAME).read_bytes() == before


def test_what_does_not_change_the_outcome_may_change_on_the_way(tmp_path):
    left(tmp_path)
    with opened(tmp_path, tiny(Path("elsewhere"), train={"workers": 3, "checkpoint_every": 9})) as run:
        assert run.checkpoint is not None


states = st.sampled_from(["interrupted", "finished", "of another recipe", "damaged", "at work", "not a run"])


@given(st.lists(states, max_size=6), st.booleans(), st.booleans())
def test_a_run_never_gets_a_folder_that_is_somebody_elses(lying, resume, fresh):
    """Whatever lies there: what is opened is new, or the same run; and what was there is as it was."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as others:
        runs, allowed = Path(folder), set()
        for state in lying:
            run = left(runs, OTHER if state == "of another recipe" else RECIPE, finished=state == "finished")
            if state == "interrupted":
                allowed.add(run)
            elif state == "damaged":
                damage(run)
            elif state == "at work":
                (run / NAME).unlink()
                assert others.enter_context(opened(runs, fresh=True)).folder == run
            elif state == "not a run":
                (run / NAME).rename(run / "thesis.txt")
        before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
        with suppress(GeosegError), opened(runs, resume=resume, fresh=fresh) as run:
            assert run.folder in allowed if run.checkpoint else run.folder.name == _next_name(len(lying))
            assert not (fresh and run.checkpoint)
            assert not (resume and not run.checkpoint)
        assert {path: path.read_bytes() for path in before} == before


def _next_name(number: int) -> str:
    return "town" if number == 0 else f"town-{number + 1}"


def test_a_run_killed_before_its_first_checkpoint_leaves_its_folder_to_the_next(tmp_path):
    with opened(tmp_path) as killed:
        (killed.folder / "recipe.yaml").touch()
        (killed.folder / "log").mkdir()
    with opened(tmp_path) as run:
        assert run.folder == killed.folder


@pytest.mark.parametrize("name", ["best.safetensors", "notes.txt"])
def test_a_folder_in_which_something_lies_is_taken(tmp_path, name):
    with opened(tmp_path) as run:
        (run.folder / name).touch()
    with opened(tmp_path) as run:
        assert run.folder.name == "town-2"


@pytest.mark.parametrize(("iteration", "stays"), [(None, False), (0, False), (1, True)])
def test_a_run_that_fails_before_its_first_step_leaves_nothing_behind(tmp_path, iteration, stays):
    with suppress(GeosegError), opened(tmp_path) as run:
        if iteration is not None:
            Checkpoint({}, "", Standing(iteration), {}, {}).save(run.folder)
        raise GeosegError("failed")
    assert run.folder.exists() == stays


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_run_is_free_as_soon_as_its_process_lets_go_though_its_workers_live(tmp_path):
    left(tmp_path)
    reading, writing = os.pipe()
    with opened(tmp_path):
        worker = os.fork()
        if not worker:
            os.write(writing, b"at work")
            signal.pause()
        os.read(reading, 1)
    try:
        with opened(tmp_path) as run:
            assert run.folder.name == "town"
    finally:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        os.close(reading)
        os.close(writing)


def test_where_files_cannot_be_locked_runs_go_on_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.training.run_folder.fcntl", None)
    left(tmp_path)
    with opened(tmp_path) as run:
        assert run.checkpoint is not None


def test_a_place_where_no_folder_can_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made") as caught:
        opened(tmp_path / "file")
    assert "--runs" in caught.value.hint


@pytest.mark.parametrize("name", ["latest", "a/b", "..", "."])
def test_a_name_that_latest_could_not_point_to_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is no name for a run"):
        opened(tmp_path, name=name)


def test_latest_points_to_the_run_it_was_last_told(tmp_path):
    for name in ("one", "two"):
        with opened(tmp_path, name=name) as run:
            (run.folder / BEST_NAME).write_text(name)
        point_latest_to(run.folder)
    assert newest_bundle(tmp_path).read_text() == "two"


def test_latest_is_a_text_file_where_links_are_not_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    with opened(tmp_path) as run:
        (run.folder / BEST_NAME).write_text("bundle")
    point_latest_to(run.folder)
    assert (tmp_path / "latest").read_text() == "town"
    assert newest_bundle(tmp_path) is not None


def test_a_run_that_fails_with_numbers_in_its_log_keeps_them(tmp_path):
    with suppress(GeosegError), opened(tmp_path) as run:
        CsvLog(run.folder / "log", ["loss"]).write(50, {"loss": 0.5})
        raise GeosegError("the loss is nan")
    assert read(run.folder / "log" / METRICS) == [{"iteration": "50", "loss": "0.5"}]


def test_a_folder_where_the_link_will_be_is_refused_before_anything_is_done(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(OutputError, match="latest is a folder") as caught:
        opened(tmp_path)
    assert "--runs" in caught.value.hint
    assert not (tmp_path / "town").exists()


def test_a_link_that_cannot_be_made_is_one_sentence_and_leaves_nothing(tmp_path):
    with opened(tmp_path) as run:
        (tmp_path / "latest").mkdir()
        with pytest.raises(OutputError, match="latest cannot be written"):
            point_latest_to(run.folder)
    assert {path.name for path in tmp_path.iterdir()} == {"latest", "town"}


def test_resume_says_so_if_the_run_is_at_work(tmp_path):
    left(tmp_path)
    with opened(tmp_path), pytest.raises(BundleError, match="is being trained by another process"):
        opened(tmp_path, resume=True)
