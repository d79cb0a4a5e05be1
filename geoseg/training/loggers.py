"""Log the metrics of a run to CSV and TensorBoard, and optionally to W&B or MLflow."""

import csv
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from geoseg._output_files import atomic_path, output_errors
from geoseg.errors import ConfigError, GeosegError

METRICS_NAME = "metrics.csv"
"""File name of the CSV log in the ``log`` folder of a run."""

logger = logging.getLogger(__name__)


class Logger(Protocol):
    """The interface of loggers."""

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an iteration."""

    def close(self) -> None:
        """Close the logger."""


class CsvLogger:
    """Writes ``metrics.csv`` with one row per call; missing values are left empty.

    When a run is resumed, rows after the iteration of its checkpoint are removed.
    """

    def __init__(self, folder: Path, columns: Sequence[str], *, done: int = 0) -> None:
        self.path, self.columns = folder / METRICS_NAME, ["iteration", *columns]
        with output_errors(self.path), atomic_path(self.path) as temporary:
            folder.mkdir(parents=True, exist_ok=True)
            kept = [row for row in read_metrics(self.path) if int(row["iteration"]) <= done]
            with temporary.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, self.columns)
                writer.writeheader()
                writer.writerows(kept)

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Append a row."""
        row = {"iteration": iteration} | {
            name: f"{value:.6g}" for name, value in metrics.items() if name in self.columns
        }
        with output_errors(self.path), self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    def close(self) -> None:
        """Do nothing: every row is written immediately."""


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Read the complete rows of a ``metrics.csv``; return an empty list if the file does not exist."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


class TensorBoardLogger:
    """Writes event files for TensorBoard."""

    def __init__(self, folder: Path, *, done: int = 0) -> None:
        writer = import_module("torch.utils.tensorboard").SummaryWriter
        self.writer = writer(str(folder), purge_step=done + 1)

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write one scalar per metric."""
        with output_errors(Path(self.writer.log_dir)):
            self._write(iteration, metrics)

    def _write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(_metric_path(name), value, iteration)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


class WandbLogger:
    """Logs to Weights & Biases; a resumed run continues the same W&B run."""

    def __init__(self, run: Path, recipe: Mapping[str, Any]) -> None:
        wandb, known = _import("wandb"), run / "log" / "wandb.txt"
        self.run = wandb.init(
            project="geoseg",
            name=run.name,
            id=_read_run_id(known),
            resume="allow",
            dir=run / "log",
            config=dict(recipe),
        )
        known.write_text(self.run.id, "utf-8")

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Log all metrics of an iteration."""
        self.run.log(dict(metrics), step=iteration)

    def close(self) -> None:
        """Finish the run."""
        self.run.finish()


class MlflowLogger:
    """Logs to MLflow, in the experiment ``geoseg``; a resumed run continues the same MLflow run."""

    def __init__(self, run: Path, recipe: Mapping[str, Any]) -> None:
        self.mlflow, known = _import("mlflow"), run / "log" / "mlflow.txt"
        self.mlflow.set_experiment("geoseg")
        active = self.mlflow.start_run(run_id=_read_run_id(known), run_name=run.name)
        known.write_text(active.info.run_id, "utf-8")
        self.mlflow.log_dict(dict(recipe), "recipe.json")

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Log all metrics of an iteration."""
        self.mlflow.log_metrics({_metric_path(name): value for name, value in metrics.items()}, step=iteration)

    def close(self) -> None:
        """Finish the run."""
        self.mlflow.end_run()


def _metric_path(name: str) -> str:
    """Convert a name like ``iou low vegetation`` to ``iou/low vegetation``, and replace characters that MLflow rejects."""
    kind, *of = name.split(" ", 1)
    return "/".join([kind, *(re.sub(r"[^\w.\- ]", "_", each) for each in of)])


def _read_run_id(path: Path) -> str | None:
    """Return the ID of a run in the external service; None for a new run."""
    return path.read_text("utf-8") if path.is_file() else None


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"train.loggers lists {name}, which is not installed", f"run: pip install 'geoseg[{name}]'"
        ) from error


OPTIONAL_LOGGERS: Mapping[str, Callable[[Path, Mapping[str, Any]], Logger]] = {
    "wandb": WandbLogger,
    "mlflow": MlflowLogger,
}
"""Loggers that can be listed in a recipe, by name."""


class FailSoftLogger:
    """Wraps an external logger: a failure at startup is an error; a later failure only disables it with a warning."""

    def __init__(self, name: str, run: Path, recipe: Mapping[str, Any]) -> None:
        self.name = name
        try:
            self.log: Logger | None = OPTIONAL_LOGGERS[name](run, recipe)
        except GeosegError:
            raise
        except Exception as error:  # any error of an external library: login, server, disk
            raise ConfigError(f"{name} failed to start: {_line(error)}", "remove it from train.loggers") from error

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an iteration, unless the logger has failed."""
        if self.log is not None:
            self._try(partial(self.log.write, iteration, metrics))

    def close(self) -> None:
        """Close the logger, unless it has failed."""
        if self.log is not None:
            self._try(self.log.close)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            logger.warning("%s failed and is disabled for the rest of the run: %s", self.name, _line(error))
            self.log = None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def require_loggers(names: Sequence[str]) -> None:
    """Raise :class:`ConfigError` if the package of a logger is not installed."""
    for name in names:
        _import(name)


class LoggerCollection:
    """All loggers of a run."""

    def __init__(self, loggers: Sequence[Logger]) -> None:
        self.loggers = loggers

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Write metrics to every logger, except undefined (NaN) values."""
        defined = {name: value for name, value in metrics.items() if not math.isnan(value)}
        for logger in self.loggers:
            logger.write(iteration, defined)

    def close(self) -> None:
        """Close every logger, even if one of them fails."""
        with ExitStack() as stack:
            for logger in self.loggers:
                stack.callback(logger.close)


def open_loggers(
    run: Path, recipe: Mapping[str, Any], loggers: Sequence[str], columns: Sequence[str], *, done: int
) -> LoggerCollection:
    """Open the loggers of a run.

    Args:
        run: Folder of the run; files are written to its ``log`` subfolder.
        recipe: The resolved recipe, which external loggers store.
        loggers: Names of external loggers.
        columns: Names of all metrics.
        done: Number of completed iterations; rows of later iterations from an interrupted attempt are removed.

    Raises:
        ConfigError: If an external logger is not installed or fails to start.
    """
    always: list[Logger] = [
        CsvLogger(run / "log", columns, done=done),
        TensorBoardLogger(run / "log" / "tensorboard", done=done),
    ]
    return LoggerCollection([*always, *(FailSoftLogger(name, run, recipe) for name in loggers)])
