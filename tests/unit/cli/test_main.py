"""The group: help, suggestions, errors as sentences, exit codes, what is imported when."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.rasters import UTM, make_raster, noise

from geoseg import __version__
from geoseg.config import load
from geoseg.errors import ConfigError

COMMANDS = [
    "prepare", "tile", "train", "import", "predict", "polygonize", "evaluate", "report",
    "gap", "submit", "info", "recipes", "picture",
]  # fmt: skip


def fails_with(error):
    def fail(*arguments, **options):
        raise error

    return fail


def test_help_lists_every_command(geoseg):
    result = geoseg("--help")
    assert result.exit_code == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_that_ends_well(geoseg, name):
    result = geoseg(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: geoseg {name}")
    assert "--quiet" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_found_in_the_file_of_its_name(geoseg_command, name):
    command = geoseg_command.get_command(None, name)
    assert command.name == name
    module = {"import": "import_checkpoint"}.get(name, name)  # import is a keyword of Python
    assert command.callback.__module__.endswith(f".{module}")


def test_the_old_name_of_import_works_and_names_the_new_one(geoseg):
    result = geoseg("import-zoo", "--help")
    assert result.exit_code == 0
    assert result.stderr == "Warning: geoseg import-zoo is now geoseg import\n"
    assert "import-zoo" not in geoseg("--help").stdout


def test_the_options_of_predict_are_listed_in_groups_and_each_of_them_once(geoseg, geoseg_command):
    text = geoseg("predict", "--help").stdout
    titles = ["Output", "Model", "Input", "Area", "Tiling", "Hardware", "Other"]
    places = [text.index(f"{title} options:") for title in titles]
    assert places == sorted(places)
    for parameter in geoseg_command.get_command(None, "predict").params:
        if parameter.param_type_name == "option":
            assert len(re.findall(rf"^  .*{re.escape(parameter.opts[-1])}\b", text, re.MULTILINE)) >= 1
    names = [name for names in geoseg_command.get_command(None, "predict").groups.values() for name in names]
    assert len(names) == len(set(names))


def test_every_option_of_every_command_is_explained(geoseg_command):
    for name in COMMANDS:
        for parameter in geoseg_command.get_command(None, name).params:
            assert parameter.param_type_name == "argument" or parameter.help, f"{name} {parameter.name}"


def test_version(geoseg):
    assert __version__ in geoseg("--version").stdout


def test_an_unknown_command_is_wrong_usage_and_gets_a_suggestion(geoseg):
    result = geoseg("predikt")
    assert result.exit_code == 2
    assert "did you mean predict?" in result.stderr
    assert result.stdout == ""


def test_an_unknown_option_is_wrong_usage(geoseg):
    assert geoseg("recipes", "--colour").exit_code == 2


def test_errors_of_the_library_are_a_sentence_a_hint_and_exit_code_1(geoseg, monkeypatch):
    monkeypatch.setattr(load, "list_recipes", fails_with(ConfigError("it rains", "take an umbrella")))
    result = geoseg("recipes")
    assert result.exit_code == 1
    assert result.stderr == "Error: it rains\nHint: take an umbrella\n"
    assert result.stdout == ""


def test_an_error_without_hint_has_no_hint_line(geoseg, monkeypatch):
    monkeypatch.setattr(load, "list_recipes", fails_with(ConfigError("it rains")))
    assert geoseg("recipes").stderr == "Error: it rains\n"


def test_quiet_does_not_hide_errors(geoseg, monkeypatch):
    monkeypatch.setattr(load, "list_recipes", fails_with(ConfigError("it rains")))
    assert geoseg("--quiet", "recipes", "--quiet").stderr == "Error: it rains\n"


def test_ctrl_c_is_one_sentence_and_exit_code_130(geoseg, monkeypatch):
    monkeypatch.setattr(load, "list_recipes", fails_with(KeyboardInterrupt()))
    result = geoseg("recipes")
    assert result.exit_code == 130
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_fault_shows_its_traceback_and_asks_for_a_report(geoseg, monkeypatch):
    monkeypatch.setattr(load, "list_recipes", fails_with(ZeroDivisionError("our fault")))
    result = geoseg("recipes")
    assert result.exit_code == 70
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: our fault" in result.stderr
    assert "report" in result.stderr.splitlines()[-1]


def test_of_a_damaged_file_nothing_is_said_but_our_sentence_and_no_file_is_left(tmp_path):
    path = make_raster(tmp_path / "a.tif", noise(1, 64, 64), compress="deflate", **UTM)
    path.write_bytes(path.read_bytes()[:2000])
    (tmp_path / "empty").mkdir()
    call = [Path(sys.executable).with_name("geoseg"), "info", path]
    ended = subprocess.run(call, cwd=tmp_path / "empty", capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["Error", "Hint"]
    assert list((tmp_path / "empty").iterdir()) == []  # neither a log of GDAL


def test_a_pipe_that_closes_is_no_fault(geoseg, monkeypatch):
    monkeypatch.setattr(load, "list_recipes", fails_with(BrokenPipeError(32, "Broken pipe")))
    result = geoseg("recipes")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr


def imported_by(*arguments):
    """Names of all modules that a call of geoseg leaves loaded, in an interpreter of its own."""
    call = f"""
import sys
from importlib.metadata import entry_points
command = entry_points(group="console_scripts")["geoseg"].load()
try:
    command({list(arguments)!r})
except SystemExit as end:
    assert not end.code, end.code
print("MODULES", *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES ")[2].split())


def test_help_loads_no_command_and_nothing_heavy():
    loaded = imported_by("--help")
    assert not loaded & {"torch", "numpy", "rasterio", "osgeo", "geopandas", "shapely", "pydantic", "yaml", "PIL"}
    assert not {
        module for module in loaded if module.rpartition(".")[2].replace("_", "-") in COMMANDS and "cli" in module
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_loads_nothing_heavy(name):
    assert not imported_by(name, "--help") & {"torch", "numpy", "rasterio", "geopandas"}


@pytest.mark.parametrize("command", [("info",), ("train",), ("prepare",), ("polygonize",)])
def test_a_name_that_is_too_long_is_one_sentence(geoseg, command):
    result = geoseg(*command, "x" * 300)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2
