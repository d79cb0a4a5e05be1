"""Everything that geoseg writes, made by the tree whose packages this process imports; ``compare.py`` calls it."""

import argparse
import contextlib
import gc
import importlib
import os
import pkgutil
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from command import CASES
from trees import PACKAGES, say

SUBJECTS = (
    "cases_old",
    "cases_training",
    "cases_data",
    "cases_prediction",
    "cases_vector",
    "cases_scores",
    "cases_zoo",
)
"""Modules of cases; those that take long come first."""

HEAVY = ("torch", "lightning.fabric", "torchvision", "timm", "rasterio", "rasterio.shutil", "pyogrio", "geopandas")
HEAVY += (
    "pyarrow.parquet",
    "matplotlib.figure",
    "numba",
    "torch.utils.tensorboard",
    "torch._dynamo",
    "torchgeo.datasets",
)
"""What cases need beside geoseg."""


def main() -> None:
    """Run cases, each in a folder and a process of its own, as many at a time as there are cores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tree", type=Path, required=True, help="the tree whose packages must be imported")
    parser.add_argument("--out", type=Path, required=True, help="folder for a folder per case")
    parser.add_argument("--into", type=Path, required=True, help="folder that a case's goes to when it is done")
    parser.add_argument("--logs", type=Path, required=True, help="folder for what commands say")
    parser.add_argument("cases", nargs="*", help="names of cases")
    given = parser.parse_args()
    for subject in SUBJECTS:
        importlib.import_module(subject)
    require_tree(given.tree)
    import_all()
    given.logs.mkdir(parents=True, exist_ok=True)
    given.into.mkdir(parents=True, exist_ok=True)
    for name in run_cases(given.cases, given.out, given.logs, given.into):
        say(f"case {name} failed: {(given.logs / name).with_suffix('.txt')}")


def require_tree(tree: Path) -> None:
    """Make sure that it is the tree which is imported.

    Args:
        tree: Its root.

    Raises:
        SystemExit: geoseg comes from somewhere else.
    """
    for package, folder in PACKAGES.items():
        there = Path(str(importlib.import_module(package).__file__))
        if there.resolve().parent != (tree / folder).resolve():
            sys.exit(f"{package} is {there}, not the one of {tree}")
        say(f"{package} is {there.resolve()}")


def import_all() -> None:
    """Import everything once, before the processes of cases are forked: modules of the tree, whatever they are called."""
    for module in HEAVY:
        importlib.import_module(module)
    package = importlib.import_module("geoseg")
    for found in pkgutil.walk_packages(package.__path__, "geoseg."):
        with contextlib.suppress(ImportError):  # what needs an extra that is not installed
            importlib.import_module(found.name)
    gc.collect()
    gc.freeze()


def run_cases(cases: list[str], out: Path, logs: Path, into: Path) -> list[str]:
    """Run cases side by side, each with its folder in ``out`` for as long as it is at work.

    Args:
        cases: Their names.
        out: Folder for a folder per case.
        logs: Folder for what they say.
        into: Where a folder goes when its case is done.

    Returns:
        Names of those that failed.
    """
    waiting, running, failed = list(cases), {}, []
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            running[forked(CASES[name], out / name, (logs / name).with_suffix(".txt"))] = name, time.monotonic()
        child, status, used = os.wait4(-1, 0)
        if child not in running:
            continue
        name, begun = running.pop(child)
        say(f"  {name}: {time.monotonic() - begun:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of a core")
        shutil.rmtree(into / name, ignore_errors=True)
        (out / name).rename(into / name)
        if status:
            failed.append(name)
    return failed


def forked(function: Callable[[], None], folder: Path, log: Path) -> int:
    """Start a case in a process of its own.

    Args:
        function: The case.
        folder: Where it writes; made new.
        log: The file for what it says.

    Returns:
        Number of the process.
    """
    folder.mkdir(parents=True)
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.chdir(folder)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        function()
        code = 0
    except BaseException:
        traceback.print_exc()
        Path("FAILED.txt").write_text("the case failed; its log says why\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
    os._exit(0)  # without what libraries that were only imported say of their memory
