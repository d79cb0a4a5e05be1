"""Trees of the project, and processes that see one of them instead of the installed package."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
"""The tree that this script belongs to."""

PACKAGES = {"geoseg": "geoseg", "geoseg_cli": "cli", "geoseg_configs": "configs"}
"""Folder of a tree by the name that it is imported by."""

CALM = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "CUDA_VISIBLE_DEVICES": "",
    "COLUMNS": "120",
}
"""Environment in which the same commands make the same bytes."""

CACHES = ("PYTHONPYCACHEPREFIX", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
"""Variables that say where compiled files and fonts are kept."""


def git(*arguments: str) -> str:
    """Run git in the tree of this script.

    Args:
        *arguments: What comes behind ``git``.

    Returns:
        What it prints.
    """
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def say(text: str) -> None:
    """Tell the terminal.

    Args:
        text: A line.
    """
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into a folder of its own for as long as the block runs.

    Args:
        commit: The commit's name.
        folder: Where to; whatever lies there is removed.

    Yields:
        The folder.
    """
    remove_worktree(folder)
    git("worktree", "add", "--detach", "--force", str(folder), commit)
    try:
        yield folder
    finally:
        remove_worktree(folder)


def remove_worktree(folder: Path) -> None:
    """Remove the folder of a worktree, and git's memory of it.

    Args:
        folder: The folder, which need not exist.
    """
    if folder.exists():
        with contextlib.suppress(subprocess.CalledProcessError):
            git("worktree", "remove", "--force", str(folder))
        shutil.rmtree(folder, ignore_errors=True)
        git("worktree", "prune")


def cache_of(tree: Path, folder: Path) -> Path:
    """Choose a folder for compiled files that no other state of the tree has used.

    numba looks at the file of a compiled function alone, and would not notice that one it calls has changed.

    Args:
        tree: Root of the tree.
        folder: Where its caches lie; those of other states are removed.

    Returns:
        The folder.
    """
    sources = sorted((tree / "geoseg").rglob("*.py"))
    state = hashlib.sha256(b"".join(str(path.stat().st_mtime_ns).encode() + path.read_bytes() for path in sources))
    chosen = folder / state.hexdigest()[:16]
    for other in folder.glob("*"):
        if other != chosen:
            shutil.rmtree(other)
    return chosen


def run_in_tree(tree: Path, keep: Path, name: str, folder: Path, script: str, *arguments: str, log: Any = None) -> None:
    """Run one of the scripts beside this file so that it imports the packages of a tree.

    The packages are reached through links at one and the same place, whichever tree it is: no path can differ.
    Compiled files of Python and numba go to folders of the tree's own.

    Args:
        tree: Root of the tree.
        keep: Folder for links and caches.
        name: What the tree is called in that folder.
        folder: Where the script runs.
        script: File name of the script.
        *arguments: What it is called with.
        log: The open file for what it says; None for this terminal.

    Raises:
        subprocess.CalledProcessError: The script did not end well.
    """
    shadow = keep / "shadow"
    shutil.rmtree(shadow, ignore_errors=True)
    shadow.mkdir(parents=True)
    for package, source in PACKAGES.items():
        (shadow / package).symlink_to((tree / source).resolve(), target_is_directory=True)
    caches = {variable: str(cache_of(tree, keep / "caches" / name) / variable.lower()) for variable in CACHES}
    paths = [shadow, tree / "tests"] if script == "inputs.py" else [shadow]
    environment = {**os.environ, **CALM, **caches, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    for variable in ("GEOSEG_MODEL", "GEOSEG_SHARED"):
        environment.pop(variable, None)
    subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        cwd=folder,
        check=True,
        env=environment,
        stdout=log,
        stderr=log,
    )
