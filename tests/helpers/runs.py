"""Trainings of a second each, and processes that run ``geoseg`` with everything imported already, to be killed at will."""

import atexit
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from geoseg.config.load import parse_recipe
from geoseg.config.recipe import Recipe
from helpers.archives import painted
from helpers.rasters import UTM, make_raster

AT_WORK = 1000
"""Stands where the exit code of a command will be."""
CLASSES = ["roof", "grass", "road"]
GEOSEG = Path(sys.executable).with_name("geoseg")
"""The installed command."""
QUICK = "import geoseg.training.trainer as trainer\ntrainer.draw_curves = lambda *_, **__: None\n"
"""Curves take half a second, and are drawn from nothing but the log."""
IN_STEP_5 = """
import os, resource, signal
from geoseg.training.step_statistics import StepStatistics
add = StepStatistics.add
def add_and_do(watch, step):
    add(watch, step)
    if step.iteration == 5:
        {do}
StepStatistics.add = add_and_do
"""
"""Something happens after iteration 5."""


def painted_town(root: Path, *, height: int = 90, width: int = 110) -> Path:
    """Scenes ``dry/a``, ``wet/a`` (to train on), ``dry/b``, ``wet/b`` (to validate) whose colours tell the class."""
    for domain, brightness in (("dry", 1.0), ("wet", 0.8)):
        for name in "ab":
            mask, spectrum = painted((domain, name), height, width, len(CLASSES), brightness=brightness)
            for kind, values in (("images", spectrum[:3]), ("labels", mask[None])):
                path = root / domain / kind / f"{name}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                make_raster(path, values, **UTM)
    return root


def tiny(root: Path, *, train: Any = None, **sections: Any) -> Recipe:
    """A recipe over :func:`painted_town`: a small network, small crops, few steps."""
    return parse_recipe(
        {
            "name": "tiny",
            "data": {
                "root": str(root),
                "prepared": str(root / "prepared"),
                "images": "{domain}/images/{name}.tif",
                "labels": "{domain}/labels/{name}.tif",
                "encoding_kind": "index",
                "legend": CLASSES,
                "splits": {"train": "*/a", "val": "*/b"},
            },
            "model": {
                "backbone": "lcnet_050",
                "head": {"name": "fcn", "channels": 8, "dropout": 0.1},
                "output_stride": 16,
                "auxiliary_weight": 0,
            },
            "train": {
                "iterations": 12,
                "batch": 4,
                "crop": 32,
                "workers": 0,
                "validate_every": 4,
                "checkpoint_every": 3,
                "device": "cpu",
                "deterministic": True,
            }
            | (train or {}),
            "predict": {"tile": 64, "halo": 8},
        }
        | sections
    )


def written(recipe: Recipe, path: Path) -> Path:
    """A recipe as the file that ``geoseg train`` takes."""
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    return path


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    """Exit code; -9 if it was killed."""
    out: str
    err: str


class Running:
    """A command at work in a process of its own."""

    def __init__(self, warm: "WarmStart", pid: int, log: Path) -> None:
        self.warm, self.pid, self.log = warm, pid, log

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 120) -> Ended:
        """How it ended; :class:`TimeoutError` if it has not."""
        end = time.monotonic() + seconds
        while (code := self.warm.ask(poll=self.pid)) == AT_WORK:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.log} is still at work after {seconds} s")
            time.sleep(0.01)
        return Ended(code, *(self.log.with_suffix(suffix).read_text() for suffix in (".out", ".err")))


class WarmStart:
    """A process that has imported geoseg, and forks for every command: starting one takes no time."""

    def __init__(self) -> None:
        calm = {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }  # a process with threads does not fork well; a second core is another test's
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | calm,
        )
        self.commands = 0

    def ask(self, **request: Any) -> int:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def start(self, *arguments: object, cwd: Path, before: str = "", env: dict[str, str] | None = None) -> Running:
        """Runs ``geoseg`` with some arguments in a folder; ``before`` is Python that the process executes first."""
        self.commands += 1
        log = cwd / f"command-{self.commands}"
        words = [str(argument) for argument in arguments]
        return Running(self, self.ask(start=words, cwd=str(cwd), log=str(log), before=before, env=env or {}), log)

    def close(self) -> None:
        self.server.kill()
        self.server.communicate()


@functools.cache
def warm_start() -> WarmStart:
    """The one of this session."""
    warm = WarmStart()
    atexit.register(warm.close)
    return warm


def serve() -> None:
    """What the warm process does: one request per line, one number per answer."""
    import matplotlib.figure  # noqa: F401, PLC0415
    import torch.utils.tensorboard  # noqa: F401, PLC0415
    from geoseg_cli import train  # noqa: F401, PLC0415

    import geoseg.training.train  # noqa: F401, PLC0415

    gc.freeze()  # what is never touched need not be copied
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            ended, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else AT_WORK
        else:
            answer = os.fork()
            if not answer:
                become(request)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def become(request: dict[str, Any]) -> None:
    """Turns this process into a command."""
    from geoseg_cli.main import main  # noqa: PLC0415

    os.setsid()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a background shell job ignores it, and children inherit that
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    for number, suffix in ((1, ".out"), (2, ".err")):
        file = os.open(request["log"] + suffix, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.argv = [str(GEOSEG), *request["start"]]
    exec(request["before"], {})
    try:
        main()
    except SystemExit as end:
        # As Python ends, but for emptying all its memory, which is as long as a short training.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(int(end.code or 0))


if __name__ == "__main__":
    serve()
