"""Awkward but legal rasters through info, predict and polygonize; results are compared with their source."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import rasterio

from .calls import Session
from .checks import compare_mask_with_scene, compare_polygons_with_mask
from .faults import Record
from .fork_server import run_in_fork
from .judging import judge_with_check, simple_call
from .ordinary import EXACT, write_model
from .rasters import write_rasters
from .sandbox import Sandbox

NAME = "rasters"
DESCRIPTION = "drivers, pixel types, sizes, CRS, transforms, layouts, nodata, through info, predict, polygonize"
DEFAULT_INPUTS = 300
MAX_HINTS = 4
"""Number of hints that a call may need before it succeeds."""


def sessions(sandbox: Sandbox, record: Record, limit: int) -> Iterator[Session]:
    """Yield a session per raster."""
    model = sandbox.inputs / "model.safetensors"
    run_in_fork(lambda: str(write_model(model)))
    rasters = sandbox.inputs / "rasters"
    rasters.mkdir()
    names = run_in_fork(lambda: write_rasters(rasters, limit))
    sandbox.watch()
    for name in names:
        record.inputs += 1
        yield _session(sandbox, record, rasters / name, model)


def _session(sandbox: Sandbox, record: Record, raster: Path, model: Path) -> Session:
    yield from simple_call(sandbox, record, sandbox.call(f"info {raster.name}", "info", raster))
    yield from _predict(sandbox, record, raster, model)
    if run_in_fork(lambda: _is_mask(raster)):
        call = sandbox.call(f"polygonize {raster.name}", "polygonize", raster, "-o", "OUT", output="out.gpkg")
        yield from simple_call(sandbox, record, call, partial(compare_polygons_with_mask, raster))


def _predict(sandbox: Sandbox, record: Record, raster: Path, model: Path) -> Session:
    """Predict a raster; follow the hints of refusals as a user does."""
    extra: tuple[str, ...] = ()
    for _ in range(MAX_HINTS):
        words = ["predict", raster, "-o", "OUT", "--model", model, *EXACT, *extra]
        call = sandbox.call(f"predict {raster.name} {' '.join(extra)}".strip(), *words, output="mask.tif")
        outcome = yield call
        judge_with_check(record, call, outcome, partial(compare_mask_with_scene, raster))
        sandbox.remove(call)
        suggested = _suggested_options(outcome.err) if outcome.code == 1 else ()
        if not set(suggested) - set(extra):
            return
        extra += tuple(word for word in suggested if word not in extra)


def _suggested_options(message: str) -> tuple[str, ...]:
    """Return the options that the hint of an error message names, with values."""
    values = {"--any-dtype": (), "--gsd": ("0.3",), "--bands": ("1,2,3",)}
    if "has 1 band" in message:
        values["--bands"] = ("1,1,1",)
    elif "has 2 bands" in message:
        values["--bands"] = ("1,2,1",)
    return tuple(word for option, value in values.items() if option in message for word in (option, *value))


def _is_mask(raster: Path) -> bool:
    with rasterio.open(raster) as file:
        return file.count == 1 and "int" in file.dtypes[0]
