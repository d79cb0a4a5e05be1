"""Run single calls, judge them, and compare their outputs with an independent calculation."""

from collections.abc import Callable
from pathlib import Path

from .calls import Call, Outcome, Session
from .faults import Record
from .fork_server import run_in_fork
from .sandbox import Sandbox

Compare = Callable[[Path], list[str]]
"""Compares an output with its source and returns sentences about what differs."""


def simple_call(sandbox: Sandbox, record: Record, call: Call, compare: Compare | None = None) -> Session:
    """Run and judge a single call."""
    outcome = yield call
    judge_with_check(record, call, outcome, compare)
    sandbox.remove(call)


def judge_with_check(record: Record, call: Call, outcome: Outcome, compare: Compare | None = None) -> None:
    """Judge a call, and compare its output with ``compare(output)``, which returns sentences on differences."""
    record.judge(call, outcome)
    output = call.output
    if compare is None or outcome.code or output is None or not output.exists():
        return
    try:
        differences = run_in_fork(lambda: compare(output))
    except RuntimeError as error:
        differences = [f"the comparison failed: {error}"]
    if differences:
        record.add_fault("wrong result", call, "; ".join(differences))
