"""Numbers of a run written down: always as CSV and for TensorBoard, and where the recipe wishes for W&B or MLflow."""

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

from geoseg._files import output_errors, part_path
from geoseg.errors import ConfigError, GeosegError

METRICS = "metrics.csv"

logger = logging.getLogger(__name__)


class Log(Protocol):
    """One place where numbers are written."""

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Writes numbers that belong to an iteration."""

    def close(self) -> None:
        """Nothing more will come."""


class CsvLog:
    """``metrics.csv``: a row per report; columns that a row has nothing for are empty.

    A run that goes on forgets the rows after the iteration it goes on from.
    """

    def __init__(self, folder: Path, columns: Sequence[str], *, done: int = 0) -> None:
        self.path, self.columns = folder / METRICS, ["iteration", *columns]
        part = part_path(self.path)
        with output_errors(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            kept = [row for row in read(self.path) if int(row["iteration"]) <= done]
            with part.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, self.columns)
                writer.writeheader()
                writer.writerows(kept)
            part.replace(self.path)

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Adds a row."""
        row = {"iteration": iteration} | {
            name: f"{value:.6g}" for name, value in numbers.items() if name in self.columns
        }
        with output_errors(self.path), self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    def close(self) -> None:
        """Every row is written at once."""


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a ``metrics.csv``, but for one that was not written to its end; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


class TensorBoardLog:
    """Event files for TensorBoard."""

    def __init__(self, folder: Path, *, done: int = 0) -> None:
        writer = import_module("torch.utils.tensorboard").SummaryWriter
        self.writer = writer(str(folder), purge_step=done + 1)

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """A scalar for each number."""
        with output_errors(Path(self.writer.log_dir)):
            self._write(iteration, numbers)

    def _write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(_filed(name), value, iteration)
        self.writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self.writer.close()


class WandbLog:
    """A run of Weights & Biases; a run that goes on, goes on there too."""

    def __init__(self, run: Path, recipe: Mapping[str, Any]) -> None:
        wandb, known = _imported("wandb"), run / "log" / "wandb.txt"
        self.run = wandb.init(
            project="geoseg", name=run.name, id=_known(known), resume="allow", dir=run / "log", config=dict(recipe)
        )
        known.write_text(self.run.id, "utf-8")

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """All numbers of an iteration at once."""
        self.run.log(dict(numbers), step=iteration)

    def close(self) -> None:
        """Ends the run."""
        self.run.finish()


class MlflowLog:
    """A run of MLflow, in the experiment ``geoseg``; a run that goes on, goes on there too."""

    def __init__(self, run: Path, recipe: Mapping[str, Any]) -> None:
        self.mlflow, known = _imported("mlflow"), run / "log" / "mlflow.txt"
        self.mlflow.set_experiment("geoseg")
        active = self.mlflow.start_run(run_id=_known(known), run_name=run.name)
        known.write_text(active.info.run_id, "utf-8")
        self.mlflow.log_dict(dict(recipe), "recipe.json")

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """All numbers of an iteration at once."""
        self.mlflow.log_metrics({_filed(name): value for name, value in numbers.items()}, step=iteration)

    def close(self) -> None:
        """Ends the run."""
        self.mlflow.end_run()


def _filed(name: str) -> str:
    """``iou low vegetation`` as ``iou/low vegetation``, without characters that MLflow refuses."""
    kind, *of = name.split(" ", 1)
    return "/".join([kind, *(re.sub(r"[^\w.\- ]", "_", each) for each in of)])


def _known(path: Path) -> str | None:
    """What the other side called a run when it began; None for a new one."""
    return path.read_text("utf-8") if path.is_file() else None


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(
            f"train.loggers names {name}, which is not installed", f"pip install 'geoseg[{name}]'"
        ) from None


EXTRA: Mapping[str, Callable[[Path, Mapping[str, Any]], Log]] = {"wandb": WandbLog, "mlflow": MlflowLog}
"""Logs a recipe may ask for."""


class Elsewhere:
    """A log that others keep: one that fails while it begins is an error, and later a warning. The run matters more."""

    def __init__(self, name: str, run: Path, recipe: Mapping[str, Any]) -> None:
        self.name = name
        try:
            self.log: Log | None = EXTRA[name](run, recipe)
        except GeosegError:
            raise
        except Exception as error:  # whatever a library of others raises for a login, a server, a disk
            raise ConfigError(f"{name} does not answer: {_line(error)}", "leave it out of train.loggers") from error

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Writes, unless it failed before."""
        if self.log is not None:
            self._try(partial(self.log.write, iteration, numbers))

    def close(self) -> None:
        """Closes it, unless it failed before."""
        if self.log is not None:
            self._try(self.log.close)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            logger.warning("%s does not answer, and gets no more numbers of this run: %s", self.name, _line(error))
            self.log = None


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def require_loggers(names: Sequence[str]) -> None:
    """:class:`ConfigError` unless what the logs of these names need is installed."""
    for name in names:
        _imported(name)


class Logbook:
    """All logs of a run."""

    def __init__(self, logs: Sequence[Log]) -> None:
        self.logs = logs

    def write(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Writes numbers into every log; those that are no number are left out."""
        known = {name: value for name, value in numbers.items() if not math.isnan(value)}
        for log in self.logs:
            log.write(iteration, known)

    def close(self) -> None:
        """Closes every log, whatever happens to one of them."""
        with ExitStack() as stack:
            for log in self.logs:
                stack.callback(log.close)


def open_logbook(
    run: Path, recipe: Mapping[str, Any], loggers: Sequence[str], columns: Sequence[str], *, done: int
) -> Logbook:
    """The logs of a run in its folder ``log``; :class:`ConfigError` for one that is not installed."""
    always: list[Log] = [
        CsvLog(run / "log", columns, done=done),
        TensorBoardLog(run / "log" / "tensorboard", done=done),
    ]
    return Logbook([*always, *(Elsewhere(name, run, recipe) for name in loggers)])
