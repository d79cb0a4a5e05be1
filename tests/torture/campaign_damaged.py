"""Damaged copies of rasters, layers, models and checkpoints: refused with a message, or the damage does not matter."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.shutil
import shapely
import torch

from .calls import Call, Session
from .damage import DAMAGES, Damage
from .faults import Record
from .fork_server import run_in_fork
from .judging import simple_call
from .ordinary import EXACT, PLACE, write_mask, write_model, write_scene
from .sandbox import Sandbox

NAME = "damaged files"
DESCRIPTION = "copies of rasters, layers, models and checkpoints that are cut or have wrong bytes"
DEFAULT_INPUTS = 300

LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {},
    "tiles": {"tiled": True, "blockxsize": 32, "blockysize": 32},
    "deflate": {"compress": "deflate"},
    "predictor": {"compress": "lzw", "predictor": 2, "tiled": True, "blockxsize": 32, "blockysize": 32},
    "bigtiff": {"bigtiff": "yes", "compress": "zstd"},
}
COPIES = {"COG": "tif", "PNG": "png", "JPEG": "jpg", "JP2OpenJPEG": "jp2", "HFA": "img"}
LAYERS = ("gpkg", "geojson", "fgb", "parquet", "shp")


def sessions(sandbox: Sandbox, record: Record, limit: int) -> Iterator[Session]:
    """Yield a session per damaged file."""
    good = sandbox.inputs / "good"
    good.mkdir()
    names = run_in_fork(lambda: _write_good_files(good))
    damaged = [(good / names[number % len(names)], number) for number in range(limit)]
    copies = [_damaged_copy(sandbox, source, number, _damage(number, len(names))) for source, number in damaged]
    sandbox.watch()
    for (source, number), path in zip(damaged, copies, strict=True):
        record.inputs += 1
        yield _session(sandbox, record, source, path, f"{_damage(number, len(names)).__name__} {source.name} {number}")


def _write_good_files(folder: Path) -> list[str]:
    for name, profile in LAYOUTS.items():
        write_scene(folder / f"scene_{name}.tif", **profile)
        write_mask(folder / f"mask_{name}.tif", **profile)
    for driver, suffix in COPIES.items():
        rasterio.shutil.copy(folder / "scene_strips.tif", folder / f"scene_{driver}.{suffix}", driver=driver)
    _write_layers(folder)
    model = write_model(folder / "model.safetensors")
    torch.save({"state_dict": {"backbone.conv1.weight": torch.zeros(64, 3, 7, 7)}}, folder / "checkpoint.pth")
    model.with_name("recipe.yaml").write_text("data:\n  dataset: folder\n  root: .\ntrain:\n  iterations: 3\n")
    suffixes = {".tif", ".safetensors", ".pth", ".yaml", *(f".{name}" for name in (*COPIES.values(), *LAYERS))}
    return sorted(path.name for path in folder.iterdir() if path.suffix in suffixes)


def _write_layers(folder: Path) -> None:
    squares = [
        shapely.box(x, y, x + 8, y + 8) for x in range(400_000, 400_080, 8) for y in range(5_799_920, 5_800_000, 8)
    ]
    names = np.random.default_rng(1).choice(["road", "building"], len(squares))
    frame = gpd.GeoDataFrame({"class_name": names}, geometry=squares, crs=PLACE["crs"])
    for suffix in LAYERS:
        path = folder / f"layer.{suffix}"
        if suffix == "parquet":
            frame.to_parquet(path)
        else:
            frame.to_file(path)


def _damage(number: int, sources: int) -> Damage:
    """Return the damage of a copy: all files are damaged in one way, then in the next."""
    return DAMAGES[number // sources % len(DAMAGES)]


def _session(sandbox: Sandbox, record: Record, source: Path, path: Path, label: str) -> Session:
    yield from simple_call(sandbox, record, sandbox.call(f"info {label}", "info", path))
    compare = None
    if source.suffix == ".safetensors":
        original = _main_call(sandbox, source, source, source.name)
        yield original
        assert original.output is not None
        compare = partial(_compare_bytes, original.output)
    yield from simple_call(sandbox, record, _main_call(sandbox, source, path, label), compare)
    if not source.stem.startswith(("scene", "model", "checkpoint", "recipe")):
        words = ("evaluate", "--mask", source.parent / "mask_strips.tif", "--reference", path)
        yield from simple_call(sandbox, record, sandbox.call(f"evaluate {label}", *words))


def _damaged_copy(sandbox: Sandbox, source: Path, number: int, damage: Damage) -> Path:
    """Write a damaged copy into a folder with undamaged copies of the other files of a shapefile."""
    folder = sandbox.inputs / "damaged" / f"{number:04}"
    folder.mkdir(parents=True)
    for other in source.parent.glob(f"{source.stem}.*"):
        if source.suffix == ".shp" and other.suffix in {".shx", ".dbf", ".prj", ".cpg"}:
            (folder / other.name).write_bytes(other.read_bytes())
    path = folder / source.name
    path.write_bytes(damage(bytearray(source.read_bytes()), random.Random(number)))
    return path


def _main_call(sandbox: Sandbox, source: Path, path: Path, label: str) -> Call:
    """Return the call that a file is made for."""
    good = source.parent
    if source.suffix == ".pth":
        return sandbox.call(f"import {label}", "import", path, "-o", "OUT", output="model.safetensors", must_fail=True)
    if source.suffix == ".yaml":
        return sandbox.call(f"train {label}", "train", path, "--runs", "runs", must_fail=True)
    if source.suffix == ".safetensors":
        words = ["predict", good / "scene_strips.tif", "-o", "OUT", "--model", path, *EXACT]
        return sandbox.call(f"predict with {label}", *words, output="mask.tif")
    if source.stem.startswith("scene"):
        words = ["predict", path, "-o", "OUT", "--model", good / "model.safetensors", *EXACT]
        return sandbox.call(f"predict {label}", *words, output="mask.tif")
    words = ["polygonize", path, "-o", "OUT", *([] if source.suffix == ".tif" else ["--simplify", "1"])]
    return sandbox.call(f"polygonize {label}", *words, output="out.gpkg")


def _compare_bytes(reference: Path, mask: Path) -> list[str]:
    """Require the mask of the undamaged model: damage is detected, or it is in bytes without meaning."""
    return [] if mask.read_bytes() == reference.read_bytes() else ["the mask differs from that of the undamaged model"]
