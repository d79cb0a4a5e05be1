"""Hostile inputs: nothing is executed, nothing is written elsewhere, and a message is printed within time and memory."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .calls import Limits, Session
from .faults import Record
from .fork_server import run_in_fork
from .hostile import archives, bundles, checkpoints, names, rasters, recipes, vectors, virtual_rasters
from .hostile.cases import Case, Place
from .judging import simple_call
from .ordinary import write_mask, write_model, write_scene
from .sandbox import Sandbox

NAME = "hostile input"
DESCRIPTION = "checkpoints, bundles, recipes, layers, virtual rasters, rasters, archives, names and options"
DEFAULT_INPUTS = 100_000
"""All cases."""

KINDS = (checkpoints, bundles, recipes, vectors, virtual_rasters, rasters, archives, names)


def sessions(sandbox: Sandbox, record: Record, limit: int) -> Iterator[Session]:
    """Yield a session per case; with a limit, of cases that are drawn at random."""
    run_in_fork(lambda: _write_ordinary_inputs(sandbox.inputs))
    cases = [Case(**case) for kind in KINDS for case in run_in_fork(partial(_write, sandbox, kind))]
    sandbox.watch()
    for case in sorted(random.Random(0).sample(cases, min(limit, len(cases))), key=cases.index):
        record.inputs += 1
        words, limits = case.arguments, Limits(case.seconds)
        call = sandbox.call(case.label, *words, output=case.output, limits=limits, must_fail=case.must_fail)
        yield simple_call(sandbox, record, call)


def _write_ordinary_inputs(folder: Path) -> None:
    write_model(folder / "model.safetensors")
    write_scene(folder / "scene.tif")
    write_mask(folder / "mask.tif")


def _write(sandbox: Sandbox, kind: ModuleType) -> list[dict[str, Any]]:
    """Write the inputs of one kind and return its cases."""
    inputs = sandbox.inputs
    folder = inputs / kind.__name__.rsplit(".", 1)[-1]
    folder.mkdir()
    model, scene, mask = (inputs / name for name in ("model.safetensors", "scene.tif", "mask.tif"))
    place = Place(folder, sandbox.executed, model, scene, mask, archives=inputs)
    return [asdict(case) for case in kind.write_cases(place)]
