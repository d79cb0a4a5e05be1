"""Fixtures for every test."""

import gc
import inspect
import os
import signal
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

# Before torch is imported: threads that wait by spinning stand still for seconds when another process wants the core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # the other cores are other workers'
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import settings

# Machines are busy, so time says nothing. CI repeats the same examples: a new one is for whoever looks for it.
# `pytest --hypothesis-profile thorough` tries ten times as many.
settings.register_profile("thorough", deadline=None, max_examples=200)
settings.register_profile("geoseg", deadline=None, max_examples=20, derandomize="CI" in os.environ)
settings.load_profile("geoseg")


signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored


def pytest_collection_finish() -> None:
    """Exclude what has been imported and collected from garbage collection, which would traverse it again and again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let go of what was frozen: extension modules would report it as leaked."""
    gc.unfreeze()


SHARED = Path(os.environ.get("GEOSEG_SHARED", Path(__file__).parents[2] / "shared"))
"""Real rasters and golden numbers lie outside the repository; tests that need them skip where they are absent."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real rasters."""
    return _shared("data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of numbers that other programs computed."""
    return _shared("golden")


@pytest.fixture(scope="session")
def openmmlab_keys() -> Path:
    """The folder of lists of parameter names and shapes, one per network of OpenMMLab."""
    return _shared("facts/keys")


def _shared(name: str) -> Path:
    if not (SHARED / name).is_dir():
        pytest.skip(f"there is no folder {SHARED / name}; GEOSEG_SHARED names another place")
    return SHARED / name


@pytest.fixture(scope="session")
def geoseg_command() -> click.Group:
    """The command ``geoseg``, reached as an installed shell reaches it."""
    command = entry_points(group="console_scripts")["geoseg"].load()
    assert isinstance(command, click.Group)
    return command


@pytest.fixture
def geoseg(geoseg_command: click.Group) -> Callable[..., Result]:
    """Runs ``geoseg`` with some arguments: ``geoseg("info", path).stdout``; what it says is in ``.stderr``."""

    def run(*arguments: object, **options: Any) -> Result:
        apart = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}  # click 8.1
        return CliRunner(**apart).invoke(geoseg_command, [str(argument) for argument in arguments], **options)

    return run
