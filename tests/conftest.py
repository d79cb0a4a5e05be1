"""Fixtures for every test."""

import inspect
import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real rasters; the test is skipped where there is none."""
    folder = Path(os.environ.get("GEOSEG_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no folder of real data: set GEOSEG_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of numbers that other programs computed; it lies outside the repository, and tests skip without it."""
    shared = Path(os.environ.get("GEOSEG_SHARED", Path(__file__).parents[2] / "shared"))
    if not (shared / "golden").is_dir():
        pytest.skip(f"there are no golden numbers in {shared}")
    return shared / "golden"


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
