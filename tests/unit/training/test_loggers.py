"""Numbers of a run: rows that a checkpoint does not know of are forgotten, other logs get the same numbers."""

import errno
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from geoseg.errors import ConfigError, OutputError
from geoseg.training.loggers import METRICS, CsvLog, MlflowLog, TensorBoardLog, open_logbook, read, require_loggers

COLUMNS = ["loss", "iou road"]


def test_a_row_holds_what_it_was_told_and_is_empty_elsewhere(tmp_path):
    log = CsvLog(tmp_path, COLUMNS)
    log.write(50, {"loss": 0.123456789})
    log.write(100, {"loss": 1e-9, "iou road": 0.5, "unheard of": 3})
    assert read(tmp_path / METRICS) == [
        {"iteration": "50", "loss": "0.123457", "iou road": ""},
        {"iteration": "100", "loss": "1e-09", "iou road": "0.5"},
    ]


@given(st.lists(st.integers(1, 40), unique=True, max_size=8).map(sorted), st.integers(0, 40))
def test_a_run_that_goes_on_forgets_the_rows_after_its_checkpoint(tmp_path_factory, iterations, done):
    folder = tmp_path_factory.mktemp("log")
    log = CsvLog(folder, COLUMNS)
    for iteration in iterations:
        log.write(iteration, {"loss": iteration})
    before = read(folder / METRICS)
    CsvLog(folder, COLUMNS, done=done)
    assert read(folder / METRICS) == [row for row in before if int(row["iteration"]) <= done]


@given(cut=st.integers(0, 200))
def test_a_row_that_was_not_written_to_its_end_is_no_row(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("log") / METRICS
    log = CsvLog(path.parent, COLUMNS)
    for iteration in (1, 2, 3):
        log.write(iteration, {"loss": 0.5, "iou road": 0.25})
    whole, content = read(path), path.read_bytes()
    path.write_bytes(content[: max(len(content) - cut, 0)])
    rows = read(path)
    # What may be missing of a last number cannot be seen; that row is later than any checkpoint.
    assert rows[:-1] == whole[: max(len(rows) - 1, 0)]
    CsvLog(path.parent, COLUMNS, done=max(len(rows) - 1, 0))
    assert read(path) == rows[:-1]


def test_no_log_yet_has_no_rows(tmp_path):
    assert read(tmp_path / METRICS) == []


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        CsvLog(tmp_path / "file", COLUMNS)


def test_tensorboard_shows_a_run_that_went_on_once(tmp_path):
    first = TensorBoardLog(tmp_path)
    for iteration in (1, 2, 3):
        first.write(iteration, {"iou road": 0.0})
    first.close()
    second = TensorBoardLog(tmp_path, done=2)
    for iteration in (3, 4):
        second.write(iteration, {"iou road": 1.0})
    second.close()
    shown = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in shown.Scalars("iou/road")] == [(1, 0), (2, 0), (3, 1), (4, 1)]


class Wandb:
    """What geoseg uses of W&B, remembered."""

    def __init__(self) -> None:
        self.begun, self.logged, self.finished = [], [], 0

    def init(self, **settings):
        self.begun.append(settings)
        return SimpleNamespace(id="run-1", log=lambda *row, **at: self.logged.append((row, at)), finish=self.finish)

    def finish(self):
        self.finished += 1


class Mlflow:
    """What geoseg uses of MLflow, remembered."""

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
    """Both services, standing in."""
    both = SimpleNamespace(wandb=Wandb(), mlflow=Mlflow())
    for name, service in vars(both).items():
        monkeypatch.setitem(sys.modules, name, service)
    return both


def open_and_write(run, iteration, *, done=0):
    log = open_logbook(run, {"name": "town"}, ("wandb", "mlflow"), COLUMNS, done=done)
    log.write(iteration, {"loss": 0.5, "iou road": 0.25, "mean_iou": float("nan")})
    log.close()


def test_every_log_gets_the_numbers_that_are_numbers(tmp_path, services):
    require_loggers(("wandb", "mlflow"))
    run = tmp_path / "town"
    open_and_write(run, 50)
    assert read(run / "log" / METRICS) == [{"iteration": "50", "loss": "0.5", "iou road": "0.25"}]
    assert list((run / "log" / "tensorboard").iterdir())
    assert services.wandb.logged == [(({"loss": 0.5, "iou road": 0.25},), {"step": 50})]
    assert services.mlflow.logged == [({"loss": 0.5, "iou/road": 0.25}, 50)]
    assert services.wandb.begun[0]["config"] == {"name": "town"}
    assert services.mlflow.recipes == [({"name": "town"}, "recipe.json")]
    assert (services.wandb.finished, services.mlflow.ended) == (1, 1)


def test_a_run_that_goes_on_goes_on_there_too(tmp_path, services):
    run = tmp_path / "town"
    for iteration in (50, 100):
        open_and_write(run, iteration, done=iteration - 50)
    assert [begun["id"] for begun in services.wandb.begun] == [None, "run-1"]
    assert [begun["run_id"] for begun in services.mlflow.begun] == [None, "run-1"]
    assert services.wandb.begun[0]["name"] == services.mlflow.begun[0]["run_name"] == "town"


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_log_that_is_not_installed_is_one_sentence(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"names {name}, which is not installed") as caught:
        require_loggers((name,))
    assert caught.value.hint == f"pip install 'geoseg[{name}]'"


def test_mlflow_gets_names_that_it_takes(tmp_path, services):
    """It refuses names with other characters than letters, digits, spaces and _ - . / and those that are no plain path."""
    (tmp_path / "log").mkdir()
    MlflowLog(tmp_path, {}).write(1, {"iou cars / trucks (parked)": 0.5})
    assert services.mlflow.logged == [({"iou/cars _ trucks _parked_": 0.5}, 1)]


@pytest.mark.parametrize("what", ["log", "finish"])
def test_a_service_that_does_not_answer_any_more_is_left_out_and_the_rest_goes_on(tmp_path, services, caplog, what):
    log = open_logbook(tmp_path, {}, ("wandb",), COLUMNS, done=0)
    monkeypatched = SimpleNamespace(log=lambda *_, **__: None, finish=lambda: None)
    setattr(monkeypatched, what, lambda *_, **__: (_ for _ in ()).throw(OSError("no route\nto host")))
    log.logs[-1].log.run = monkeypatched
    for iteration in (50, 100):
        log.write(iteration, {"loss": 0.5})
    log.close()
    assert caplog.text.count("wandb does not answer, and gets no more numbers of this run: no route to host") == 1
    assert [row["iteration"] for row in read(tmp_path / "log" / METRICS)] == ["50", "100"]


def test_a_service_that_does_not_answer_at_first_is_one_sentence(tmp_path, services, monkeypatch):
    monkeypatch.setattr(services.mlflow, "set_experiment", lambda _: (_ for _ in ()).throw(ValueError("no\nserver")))
    with pytest.raises(ConfigError, match=r"^mlflow does not answer: no server$") as caught:
        open_logbook(tmp_path, {}, ("mlflow",), COLUMNS, done=0)
    assert "train.loggers" in caught.value.hint


def test_a_full_disk_under_tensorboard_is_one_sentence(tmp_path, monkeypatch):
    log = open_logbook(tmp_path, {}, (), COLUMNS, done=0)
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(log.logs[1].writer, "add_scalar", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OutputError, match="tensorboard cannot be written: No space left on device"):
        log.write(1, {"loss": 0.5})
