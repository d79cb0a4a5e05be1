"""The campaigns of ``make torture``: what counts as a fault, and how figures get into the documentation."""

import contextlib
import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from torture.calls import Call, Outcome
from torture.faults import KINDS, Record
from torture.interruptions import Command, Interruptions
from torture.results import embed, markdown, summary, write_json
from torture.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
REFUSED = "Error: scene.tif is damaged\nHint: copy it again\n"
BUG = "Traceback (most recent call last):\n  ...\nTypeError\n"


def judged(folder, code, *, err="", limit="", memory_mb=700, must_fail=False, left=(), output="out.tif"):
    """The kinds of faults of a call that ended in some way and left some files."""
    for name in left:
        (folder / name).touch()
    call = Call("call", ("info", "scene.tif"), folder, folder / output if output else None, must_fail=must_fail)
    record = Record("some", "inputs")
    record.judge(call, Outcome(code, limit, interrupted=False, seconds=1, memory_mb=memory_mb, out="", err=err))
    return {fault.kind for fault in record.faults}


@pytest.mark.parametrize(
    ("code", "outcome", "kinds"),
    [
        (0, {"left": ["out.tif"]}, set()),
        (0, {"left": ["out.shp", "out.dbf"], "output": "out.shp"}, set()),
        (0, {"output": None}, set()),
        (1, {"err": REFUSED}, set()),
        (2, {"err": "Usage: geoseg"}, set()),
        (70, {"err": BUG}, {"internal error"}),
        (99, {}, {"internal error"}),
        (-11, {}, {"crash"}),
        (-9, {"limit": "time", "left": [".out.tif"]}, {"time"}),
        (-9, {"limit": "memory"}, {"memory"}),
        (0, {"memory_mb": 9000, "output": None}, {"memory"}),
        (1, {"err": BUG}, {"traceback"}),
        (1, {}, {"no message"}),
        (1, {"err": f"Warning 1: TIFFFetchNormalTag\n{REFUSED}"}, {"library output"}),
        (0, {"must_fail": True, "left": ["out.tif"]}, {"accepted"}),
        (1, {"err": REFUSED, "left": [".out.tif.part.tif"]}, {"incomplete output"}),
        (0, {}, {"no output"}),
        (0, {"left": ["out.tif", "other.xml"]}, {"file outside"}),
    ],
)
def test_a_call_has_the_faults_of_its_outcome(tmp_path, code, outcome, kinds):
    assert judged(tmp_path, code, **outcome) == kinds


def interrupted(tmp_path, *, after_kill, at_end="whole", code=0):
    """The kinds of faults of a command that writes ``after_kill`` when it is killed and ``at_end`` when it is resumed."""
    sandbox, record = Sandbox(tmp_path / "sandbox"), Record("kills", "")
    command = Command("copy", ("copy", "OUT"), ("--resume",), "out", lambda path: {"out": path.read_text()})
    session = Interruptions(sandbox, record, command, signal.SIGKILL, 1).session()
    call, calls = next(session), 0
    with contextlib.suppress(StopIteration):
        while True:
            killed = call.interruption is not None
            content = after_kill if killed else (at_end if "--resume" in call.arguments else "whole")
            if content is not None:
                call.output.write_text(content)
            ended = -9 if killed else (code if calls else 0)
            calls += 1
            err = REFUSED if ended == 1 else ""
            call = session.send(Outcome(ended, "", interrupted=killed, seconds=1, memory_mb=1, out="", err=err))
    return {fault.kind for fault in record.faults}


@pytest.mark.parametrize(
    ("ended", "kinds"),
    [
        ({"after_kill": None}, set()),
        ({"after_kill": "whole"}, set()),
        ({"after_kill": "wh"}, {"different after resume"}),
        ({"after_kill": None, "at_end": "hole"}, {"different after resume"}),
        ({"after_kill": None, "at_end": None, "code": 1}, {"different after resume"}),
    ],
)
def test_an_interrupted_command_has_the_faults_of_its_files(tmp_path, monkeypatch, ended, kinds):
    monkeypatch.setenv("HOME", "elsewhere")  # the sandbox sets both
    monkeypatch.setenv("TMPDIR", "elsewhere")
    assert interrupted(tmp_path, **ended) == kinds


def test_the_table_counts_calls_by_outcome_and_faults_by_kind(tmp_path):
    record = Record("some", "inputs", inputs=3, calls=6, codes=Counter({0: 2, 1: 2, 2: 1, 70: 1}))
    record.add_fault("internal error", Call("a", ("info", "new\nline.tif"), tmp_path), BUG)
    content = write_json([record], tmp_path / "torture.json", seconds=100, limit=None)
    assert json.loads((tmp_path / "torture.json").read_text()) == json.loads(json.dumps(content))
    table = markdown(content)
    assert "| some: inputs | 3 | 6 | 2 | 3 | 1 |" in table
    assert f"| internal error | {KINDS['internal error']} | 1 |" in table
    assert summary(record) == "some: 3 inputs, 6 calls, 1 faults (internal error: 1)"
    assert content["campaigns"][0]["faults"][0]["command"] == r"geoseg info $'new\nline.tif'"


def test_figures_replace_the_figures_of_the_run_before():
    page = (ROOT / "docs/reliability.md").read_text("utf-8")
    assert embed(embed(page, "first \\1"), "second") == embed(page, "second")
    with pytest.raises(ValueError, match="torture:begin"):
        embed("# Page", "figures")


def test_pytest_does_not_collect_the_campaigns():
    assert not list((ROOT / "tests/torture").rglob("test_*.py"))
