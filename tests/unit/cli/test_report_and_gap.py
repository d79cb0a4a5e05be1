"""``report`` and ``gap`` hand what was typed to the library and print the path of the page; the library is faked."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest


class Recorder:
    """Stands for a function of the library: remembers its calls, gives what it was told to give."""

    def __init__(self, gives):
        self.gives, self.calls = gives, []

    def __call__(self, *arguments, **options):
        self.calls.append((arguments, options))
        return self.gives


@pytest.fixture
def library(monkeypatch):
    """The functions that the commands call, none of them real."""
    page = Path("page.html")
    homes = {
        "geoseg.evaluation.report.write_report": {"report": page},
        "geoseg.evaluation.domain_shift.measure_shift": {"measure_shift": "shift"},
        "geoseg.evaluation.domain_shift.shift_report": {"check_shift_report": None, "write_shift_report": page},
        "geoseg.inference.model_lookup": {"find_model": SimpleNamespace(path=Path("best.safetensors"), reason="given")},
    }
    made = {}
    for module, functions in homes.items():
        recorders = {name: Recorder(gives) for name, gives in functions.items()}
        monkeypatch.setitem(sys.modules, module, SimpleNamespace(**recorders))
        made |= recorders
    return SimpleNamespace(**made)


def test_runs_stand_side_by_side_in_the_order_they_were_named(geoseg, library):
    result = geoseg("report", "runs/a", "runs/b", "-o", "both.html", "--split", "test", "--boundary", "0.5")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "page.html\n"
    assert [call[0] for call in library.find_model.calls] == [("runs/a",), ("runs/b",)]
    arguments, options = library.report.calls[0]
    assert arguments == ([Path("best.safetensors")] * 2, "both.html")
    assert (options["split"], options["boundary_m"], options["device"]) == ("test", 0.5, "auto")


def test_without_a_run_the_newest_is_meant(geoseg, library):
    assert geoseg("report").exit_code == 0
    assert library.find_model.calls[0][0] == (None,)


def test_objects_are_named_with_commas(geoseg, library):
    geoseg("report", "runs/a", "--objects", "building,car")
    assert library.report.calls[0][1]["objects"] == ["building", "car"]


def test_masks_and_scenes_are_reported_with_their_references(geoseg, library):
    geoseg("report", "--mask", "m", "--reference", "r", "--scene", "s", "--ignore", "9")
    models, options = library.report.calls[0][0][0], library.report.calls[0][1]
    assert (models, options["mask"], options["reference"]) == ([], "m", "r")
    assert (options["scene"], options["ignore"]) == ("s", ("9",))
    geoseg("report", "runs/a", "--scene", "s", "--reference", "r")
    models, options = library.report.calls[1][0][0], library.report.calls[1][1]
    assert (models, options["scene"], options["reference"]) == ([Path("best.safetensors")], "s", "r")


@pytest.mark.parametrize("call", [["--mask", "m"], ["--reference", "r"], ["a", "--mask", "m", "--reference", "r"]])
def test_what_does_not_go_together_is_refused(geoseg, library, call):
    assert geoseg("report", *call).exit_code == 2


def test_a_gap_has_a_target_and_mostly_a_source(geoseg, library):
    result = geoseg("gap", "east.tif", "loveda:train", "--model", "m", "--crops", "9", "--set", "data.root=x")
    assert result.stdout == "page.html\n"
    arguments, options = library.measure_shift.calls[0]
    assert arguments == ("east.tif", "loveda:train")
    assert (options["model"], options["crops"], options["overrides"]) == (Path("best.safetensors"), 9, ("data.root=x",))
    geoseg("gap", "east.tif", "west.tif")
    assert library.measure_shift.calls[1][1]["model"] is None
