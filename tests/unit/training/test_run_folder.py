"""Tests of run folders: locking, resuming, and the link to the newest run."""

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from helpers.runs import tiny
from hypothesis import given
from hypothesis import strategies as st

from geoseg.bundle import BEST_NAME
from geoseg.errors import BundleError, ConfigError, DataError, GeosegError, OutputError
from geoseg.inference.model_lookup import find_newest_bundle
from geoseg.training.checkpoint import CHECKPOINT_NAME, Checkpoint, RunState
from geoseg.training.loggers import METRICS_NAME, CsvLogger, read_metrics
from geoseg.training.run_folder import open_run_folder, update_latest_link

RECIPE = tiny(Path("town"))
OTHER = tiny(Path("town"), train={"learning_rate": 0.5})


def open_run(runs, recipe=RECIPE, data="data", name="town", **options):
    return open_run_folder(Path(runs), name, recipe, data, **options)


def make_interrupted(runs, recipe=RECIPE, data="data", *, iteration=5, finished=False) -> Path:
    """Create a run with this many completed iterations whose process has ended."""
    with open_run(runs, fresh=True) as run:
        Checkpoint(recipe.model_dump(mode="json"), data, RunState(iteration), {}, {}, finished=finished).save(
            run.folder
        )
    return run.folder


def damage(run: Path) -> None:
    content = (run / CHECKPOINT_NAME).read_bytes()
    (run / CHECKPOINT_NAME).write_bytes(content[: len(content) // 2])


def test_concurrent_runs_never_share_a_folder(tmp_path):
    with ExitStack() as at_work, ThreadPoolExecutor(8) as pool:
        runs = [at_work.enter_context(run) for run in pool.map(lambda _: open_run(tmp_path / "runs"), range(8))]
    assert {run.folder.name for run in runs} == {"town", *(f"town-{number}" for number in range(2, 9))}


def test_interrupted_run_is_resumed(tmp_path):
    folder = make_interrupted(tmp_path)
    with open_run(tmp_path) as run:
        assert run.folder == folder
        assert run.checkpoint.state.iteration == 5


def test_newest_interrupted_run_is_resumed(tmp_path):
    for _ in range(10):
        newest = make_interrupted(tmp_path)
    assert newest.name == "town-10"
    with open_run(tmp_path, resume=True) as run:
        assert run.folder == newest


def test_running_run_is_not_resumed(tmp_path):
    make_interrupted(tmp_path)
    with open_run(tmp_path) as first, open_run(tmp_path) as second:
        assert (first.folder.name, second.folder.name) == ("town", "town-2")
        assert second.checkpoint is None


def test_finished_run_is_followed_by_a_new_one(tmp_path):
    make_interrupted(tmp_path)
    make_interrupted(tmp_path, finished=True)
    with open_run(tmp_path) as run:
        assert (run.folder.name, run.checkpoint) == ("town-3", None)


def test_fresh_starts_a_new_run(tmp_path):
    make_interrupted(tmp_path)
    with open_run(tmp_path, fresh=True) as run:
        assert (run.folder.name, run.checkpoint) == ("town-2", None)


@pytest.mark.parametrize("finished", [True, None])
def test_resume_requires_an_interrupted_run(tmp_path, finished):
    if finished:
        make_interrupted(tmp_path, finished=True)
    with pytest.raises(BundleError, match="has no interrupted run town") as caught:
        open_run(tmp_path, resume=True)
    assert "without --resume" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"recipe": OTHER}, ConfigError, r"the recipe has changed .*: train\.learning_rate$"),
        ({"data": "other"}, DataError, "the training data has changed"),
        ({}, BundleError, r"last\.ckpt cannot be read"),
    ],
)
def test_changed_run_is_refused_with_resume_and_skipped_without(tmp_path, caplog, changes, error, message):
    folder = make_interrupted(tmp_path)
    if not changes:
        damage(folder)
    before = (folder / CHECKPOINT_NAME).read_bytes()
    with pytest.raises(error, match=message) as caught:
        open_run(tmp_path, resume=True, **changes)
    assert "--fresh" in caught.value.hint
    with caplog.at_level("INFO", "geoseg"), open_run(tmp_path, **changes) as run:
        assert (run.folder.name, run.checkpoint) == ("town-2", None)
    assert f"{folder} is not resumed: {caught.value.message}" in caplog.text
    assert (folder / CHECKPOINT_NAME).read_bytes() == before


def test_keys_that_do_not_affect_the_result_may_change_before_resuming(tmp_path):
    make_interrupted(tmp_path)
    with open_run(tmp_path, tiny(Path("elsewhere"), train={"workers": 3, "checkpoint_every": 9})) as run:
        assert run.checkpoint is not None


states = st.sampled_from(["interrupted", "finished", "of another recipe", "damaged", "at work", "not a run"])


@given(st.lists(states, max_size=6), st.booleans(), st.booleans())
def test_existing_folders_of_other_runs_are_never_used(existing, resume, fresh):
    """The opened folder is new or of the same run, and existing files are unchanged."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as others:
        runs, allowed = Path(folder), set()
        for state in existing:
            run = make_interrupted(
                runs, OTHER if state == "of another recipe" else RECIPE, finished=state == "finished"
            )
            if state == "interrupted":
                allowed.add(run)
            elif state == "damaged":
                damage(run)
            elif state == "at work":
                (run / CHECKPOINT_NAME).unlink()
                assert others.enter_context(open_run(runs, fresh=True)).folder == run
            elif state == "not a run":
                (run / CHECKPOINT_NAME).rename(run / "thesis.txt")
        before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
        with suppress(GeosegError), open_run(runs, resume=resume, fresh=fresh) as run:
            assert run.folder in allowed if run.checkpoint else run.folder.name == _next_name(len(existing))
            assert not (fresh and run.checkpoint)
            assert not (resume and not run.checkpoint)
        assert {path: path.read_bytes() for path in before} == before


def _next_name(number: int) -> str:
    return "town" if number == 0 else f"town-{number + 1}"


def test_folder_of_a_run_killed_before_its_first_checkpoint_is_reused(tmp_path):
    with open_run(tmp_path) as killed:
        (killed.folder / "recipe.yaml").touch()
        (killed.folder / "log").mkdir()
    with open_run(tmp_path) as run:
        assert run.folder == killed.folder


@pytest.mark.parametrize("name", ["best.safetensors", "notes.txt"])
def test_folder_with_other_files_is_not_reused(tmp_path, name):
    with open_run(tmp_path) as run:
        (run.folder / name).touch()
    with open_run(tmp_path) as run:
        assert run.folder.name == "town-2"


@pytest.mark.parametrize(("iteration", "stays"), [(None, False), (0, False), (1, True)])
def test_folder_of_a_run_that_fails_before_its_first_step_is_removed(tmp_path, iteration, stays):
    with suppress(GeosegError), open_run(tmp_path) as run:
        if iteration is not None:
            Checkpoint({}, "", RunState(iteration), {}, {}).save(run.folder)
        raise GeosegError("failed")
    assert run.folder.exists() == stays


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_lock_is_released_while_forked_workers_are_alive(tmp_path):
    make_interrupted(tmp_path)
    reading, writing = os.pipe()
    with open_run(tmp_path):
        worker = os.fork()
        if not worker:
            os.write(writing, b"at work")
            signal.pause()
        os.read(reading, 1)
    try:
        with open_run(tmp_path) as run:
            assert run.folder.name == "town"
    finally:
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        os.close(reading)
        os.close(writing)


def test_runs_are_resumed_without_file_locks(tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.training.run_folder.fcntl", None)
    make_interrupted(tmp_path)
    with open_run(tmp_path) as run:
        assert run.checkpoint is not None


def test_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot create ") as caught:
        open_run(tmp_path / "file")
    assert "--runs" in caught.value.hint


@pytest.mark.parametrize("name", ["latest", "a/b", "..", "."])
def test_invalid_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=f"invalid run name {name!r}"):
        open_run(tmp_path, name=name)


def test_latest_points_to_the_newest_run(tmp_path):
    for name in ("one", "two"):
        with open_run(tmp_path, name=name) as run:
            (run.folder / BEST_NAME).write_text(name)
        update_latest_link(run.folder)
    assert find_newest_bundle(tmp_path).read_text() == "two"


def test_latest_is_a_text_file_where_links_are_not_supported(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    with open_run(tmp_path) as run:
        (run.folder / BEST_NAME).write_text("bundle")
    update_latest_link(run.folder)
    assert (tmp_path / "latest").read_text() == "town"
    assert find_newest_bundle(tmp_path) is not None


def test_folder_of_a_failed_run_with_metrics_is_kept(tmp_path):
    with suppress(GeosegError), open_run(tmp_path) as run:
        CsvLogger(run.folder / "log", ["loss"]).write(50, {"loss": 0.5})
        raise GeosegError("the loss is nan")
    assert read_metrics(run.folder / "log" / METRICS_NAME) == [{"iteration": "50", "loss": "0.5"}]


def test_folder_named_latest_is_refused_first(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.raises(OutputError, match="latest is a folder") as caught:
        open_run(tmp_path)
    assert "--runs" in caught.value.hint
    assert not (tmp_path / "town").exists()


def test_failed_link_is_an_error_without_leftovers(tmp_path):
    with open_run(tmp_path) as run:
        (tmp_path / "latest").mkdir()
        with pytest.raises(OutputError, match="latest cannot be written"):
            update_latest_link(run.folder)
    assert {path.name for path in tmp_path.iterdir()} == {"latest", "town"}


def test_resume_of_a_running_run_is_an_error(tmp_path):
    make_interrupted(tmp_path)
    with open_run(tmp_path), pytest.raises(BundleError, match="is being trained by another process"):
        open_run(tmp_path, resume=True)
