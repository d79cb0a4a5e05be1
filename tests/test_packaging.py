"""What gets installed: every package, every recipe, and a command that starts quickly."""

import os
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from geoseg.config.load import list_recipes, load_recipe

ROOT = Path(__file__).parents[1]
SOURCES = ["geoseg", "cli", "configs"]

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="needs the repository, not the wheel alone"
)


def settings():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


def packages_on_disk():
    """Dotted names of all folders with an ``__init__``, as they are installed."""
    installed_as = {folder: name for name, folder in settings()["package-dir"].items()}
    folders = [init.parent for source in SOURCES for init in (ROOT / source).rglob("__init__.py")]
    parts = [folder.relative_to(ROOT).parts for folder in folders]
    return sorted(".".join([installed_as.get(first, first), *rest]) for first, *rest in parts)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Names of the files in a wheel built from a copy of the sources: a ``build`` folder here would leak into it."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", str(copy), *options], check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    with zipfile.ZipFile(path) as file:
        return set(file.namelist())


def test_every_package_is_listed_and_every_listed_one_exists():
    assert sorted(settings()["packages"]) == packages_on_disk()


def test_every_folder_of_modules_is_a_package():
    folders = {file.parent for source in SOURCES for file in (ROOT / source).rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_the_wheel_holds_every_module(wheel):
    installed_as = {folder: name for name, folder in settings()["package-dir"].items()}
    for source in SOURCES:
        for file in (ROOT / source).rglob("*.py"):
            first, *rest = file.relative_to(ROOT).parts
            assert "/".join([installed_as.get(first, first), *rest]) in wheel


def test_the_wheel_holds_every_recipe_and_the_mark_of_a_typed_package(wheel):
    assert {f"geoseg_configs/{recipe.name}" for recipe in (ROOT / "configs").glob("*.yaml")} <= wheel
    assert "geoseg/py.typed" in wheel


def test_the_wheel_holds_neither_tests_nor_data(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"geoseg", "geoseg_cli", "geoseg_configs"}


def test_the_wheel_installs_the_command(wheel):
    assert any(name.endswith(".dist-info/entry_points.txt") for name in wheel)
    assert any("/licenses/LICENSE" in name for name in wheel)


def test_shipped_recipes_are_readable_where_they_are_installed():
    names = {file.name for file in files("geoseg_configs").iterdir() if file.name.endswith(".yaml")}
    assert names
    assert names == set(list_recipes()) == {recipe.name for recipe in (ROOT / "configs").glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(list_recipes()))
def test_every_shipped_recipe_loads_by_name_and_says_what_it_is(name):
    assert load_recipe(name.removesuffix(".yaml")).description


def test_help_takes_less_than_0_4_seconds():
    """The best of several starts: other work on the machine makes single ones slow."""
    command = Path(sys.executable).with_name("geoseg")
    if not command.exists():
        pytest.skip("the command is not installed beside this Python")
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([command, "--help"], check=True, capture_output=True, env=os.environ)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.4
