"""Tests of loggers: CSV rows of resumed runs, TensorBoard, W&B and MLflow."""

import errno
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from geoseg.errors import ConfigError, OutputError
from geoseg.training.loggers import (
    METRICS_NAME,
    CsvLogger,
    MlflowLogger,
    TensorBoardLogger,
    open_loggers,
    read_metrics,
    require_loggers,
)

COLUMNS = ["loss", "iou road"]


def test_missing_values_of_a_row_are_empty(tmp_path):
    log = CsvLogger(tmp_path, COLUMNS)
    log.write(50, {"loss": 0.123456789})
    log.write(100, {"loss": 1e-9, "iou road": 0.5, "unknown": 3})
    assert read_metrics(tmp_path / METRICS_NAME) == [
        {"iteration": "50", "loss": "0.123457", "iou road": ""},
        {"iteration": "100", "loss": "1e-09", "iou road": "0.5"},
    ]


@given(st.lists(st.integers(1, 40), unique=True, max_size=8).map(sorted), st.integers(0, 40))
def test_resuming_removes_rows_after_the_checkpoint(tmp_path_factory, iterations, done):
    folder = tmp_path_factory.mktemp("log")
    log = CsvLogger(folder, COLUMNS)
    for iteration in iterations:
        log.write(iteration, {"loss": iteration})
    before = read_metrics(folder / METRICS_NAME)
    CsvLogger(folder, COLUMNS, done=done)
    assert read_metrics(folder / METRICS_NAME) == [row for row in before if int(row["iteration"]) <= done]


@given(cut=st.integers(0, 200))
def test_truncated_row_is_ignored(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("log") / METRICS_NAME
    log = CsvLogger(path.parent, COLUMNS)
    for iteration in (1, 2, 3):
        log.write(iteration, {"loss": 0.5, "iou road": 0.25})
    whole, content = read_metrics(path), path.read_bytes()
    path.write_bytes(content[: max(len(content) - cut, 0)])
    rows = read_metrics(path)
    # What may be missing of a last number cannot be seen; that row is later than any checkpoint.
    assert rows[:-1] == whole[: max(len(rows) - 1, 0)]
    CsvLogger(path.parent, COLUMNS, done=max(len(rows) - 1, 0))
    assert read_metrics(path) == rows[:-1]


def test_missing_log_has_no_rows(tmp_path):
    assert read_metrics(tmp_path / METRICS_NAME) == []


def test_unwritable_log_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        CsvLogger(tmp_path / "file", COLUMNS)


def test_tensorboard_shows_each_step_of_a_resumed_run_once(tmp_path):
    first = TensorBoardLogger(tmp_path)
    for iteration in (1, 2, 3):
        first.write(iteration, {"iou road": 0.0})
    first.close()
    second = TensorBoardLogger(tmp_path, done=2)
    for iteration in (3, 4):
        second.write(iteration, {"iou road": 1.0})
    second.close()
    shown = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in shown.Scalars("iou/road")] == [(1, 0), (2, 0), (3, 1), (4, 1)]


class Wandb:
    """Records calls of the part of W&B that geoseg uses."""

    def __init__(self) -> None:
        self.begun, self.logged, self.finished = [], [], 0

    def init(self, **settings):
        self.begun.append(settings)
        return SimpleNamespace(id="run-1", log=lambda *row, **at: self.logged.append((row, at)), finish=self.finish)

    def finish(self):
        self.finished += 1


class Mlflow:
    """Records calls of the part of MLflow that geoseg uses."""

    def __init__(self) -> None:
        self.begun, self.logged, self.recipes, self.ended = [], [], [], 0

    def set_experiment(self, name):
        assert name == "geoseg"

    def start_run(self, **settings):
        self.begun.append(settings)
        return SimpleNamespace(info=SimpleNamespace(run_id="run-1"))

    def log_dict(self, *recipe):
        self.recipes.append(recipe)

    def log_metrics(self, numbers, step):
        self.logged.append((numbers, step))

    def end_run(self):
        self.ended += 1


@pytest.fixture
def services(monkeypatch):
    """Replace both packages by fakes."""
    both = SimpleNamespace(wandb=Wandb(), mlflow=Mlflow())
    for name, service in vars(both).items():
        monkeypatch.setitem(sys.modules, name, service)
    return both


def open_and_write(run, iteration, *, done=0):
    loggers = open_loggers(run, {"name": "town"}, ("wandb", "mlflow"), COLUMNS, done=done)
    loggers.write(iteration, {"loss": 0.5, "iou road": 0.25, "mean_iou": float("nan")})
    loggers.close()


def test_all_loggers_receive_the_defined_metrics(tmp_path, services):
    require_loggers(("wandb", "mlflow"))
    run = tmp_path / "town"
    open_and_write(run, 50)
    assert read_metrics(run / "log" / METRICS_NAME) == [{"iteration": "50", "loss": "0.5", "iou road": "0.25"}]
    assert list((run / "log" / "tensorboard").iterdir())
    assert services.wandb.logged == [(({"loss": 0.5, "iou road": 0.25},), {"step": 50})]
    assert services.mlflow.logged == [({"loss": 0.5, "iou/road": 0.25}, 50)]
    assert services.wandb.begun[0]["config"] == {"name": "town"}
    assert services.mlflow.recipes == [({"name": "town"}, "recipe.json")]
    assert (services.wandb.finished, services.mlflow.ended) == (1, 1)


def test_resumed_run_continues_in_external_loggers(tmp_path, services):
    run = tmp_path / "town"
    for iteration in (50, 100):
        open_and_write(run, iteration, done=iteration - 50)
    assert [begun["id"] for begun in services.wandb.begun] == [None, "run-1"]
    assert [begun["run_id"] for begun in services.mlflow.begun] == [None, "run-1"]
    assert services.wandb.begun[0]["name"] == services.mlflow.begun[0]["run_name"] == "town"


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_missing_package_of_a_logger_is_an_error(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"train.loggers lists {name}, which is not installed") as caught:
        require_loggers((name,))
    assert caught.value.hint == f"run: pip install 'geoseg[{name}]'"


def test_mlflow_receives_valid_names(tmp_path, services):
    """MLflow refuses characters other than letters, digits, spaces and _ - . /, and names that are not normalized paths."""
    (tmp_path / "log").mkdir()
    MlflowLogger(tmp_path, {}).write(1, {"iou cars / trucks (parked)": 0.5})
    assert services.mlflow.logged == [({"iou/cars _ trucks _parked_": 0.5}, 1)]


@pytest.mark.parametrize("what", ["log", "finish"])
def test_failing_logger_is_disabled_and_others_continue(tmp_path, services, caplog, what):
    loggers = open_loggers(tmp_path, {}, ("wandb",), COLUMNS, done=0)
    failing = SimpleNamespace(log=lambda *_, **__: None, finish=lambda: None)
    setattr(failing, what, lambda *_, **__: (_ for _ in ()).throw(OSError("no route\nto host")))
    loggers.loggers[-1].log.run = failing
    for iteration in (50, 100):
        loggers.write(iteration, {"loss": 0.5})
    loggers.close()
    assert caplog.text.count("wandb failed and is disabled for the rest of the run: no route to host") == 1
    assert [row["iteration"] for row in read_metrics(tmp_path / "log" / METRICS_NAME)] == ["50", "100"]


def test_logger_that_fails_to_start_is_an_error(tmp_path, services, monkeypatch):
    monkeypatch.setattr(services.mlflow, "set_experiment", lambda _: (_ for _ in ()).throw(ValueError("no\nserver")))
    with pytest.raises(ConfigError, match=r"^mlflow failed to start: no server$") as caught:
        open_loggers(tmp_path, {}, ("mlflow",), COLUMNS, done=0)
    assert "train.loggers" in caught.value.hint


def test_full_disk_of_tensorboard_is_an_error(tmp_path, monkeypatch):
    loggers = open_loggers(tmp_path, {}, (), COLUMNS, done=0)
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(loggers.loggers[1].writer, "add_scalar", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OutputError, match="tensorboard cannot be written: No space left on device"):
        loggers.write(1, {"loss": 0.5})
