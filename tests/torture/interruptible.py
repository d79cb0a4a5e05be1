"""Long commands whose results can be compared after an interruption: predict, polygonize, prepare and train."""

import hashlib
import json
import re
from pathlib import Path

from helpers.runs import painted_town, tiny, written

from .interruptions import Command, Fingerprint
from .ordinary import EXACT, write_mask, write_model, write_scene
from .sandbox import Sandbox

TIME_COLUMNS = {"images_per_second", "wait_share", "memory_gb"}
"""Columns of metrics.csv that depend on the machine's load."""

TIMES = {
    ".gpkg": rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",  # last_change
    ".json": rb'"seconds": *(\{[^}]*\}|[\d.e+-]+)',  # durations in records of prepared scenes
}
"""Patterns of times in files, by suffix."""


def write_inputs(folder: Path) -> None:
    """Write the inputs of all commands."""
    write_model(folder / "model.safetensors")
    write_scene(folder / "scene.tif", 2600, 500, tiled=True, compress="deflate")
    write_mask(folder / "mask.tif", 2500, 2500, tiled=True, compress="deflate")
    written(tiny(painted_town(folder / "town")), folder / "tiny.yaml")
    written(tiny(painted_town(folder / "city", height=1400, width=1600)), folder / "city.yaml")


def commands(sandbox: Sandbox) -> list[Command]:
    """Return the commands on the inputs of :func:`write_inputs`."""
    inputs = sandbox.inputs
    predict = ("predict", f"{inputs}/scene.tif", "-o", "OUT", "--model", f"{inputs}/model.safetensors", *EXACT)
    train = ("train", f"{inputs}/tiny.yaml", "--runs", "OUT", "--set", "data.prepared=prepared")
    return [
        Command("predict", predict, ("--resume",), "mask.tif", _files),
        Command("polygonize", ("polygonize", f"{inputs}/mask.tif", "-o", "OUT"), (), "out.gpkg", _files),
        Command("prepare", ("prepare", f"{inputs}/city.yaml", "-o", "OUT"), (), "prepared", _files),
        Command("train", train, (), "runs", _run),
    ]


def _files(output: Path) -> Fingerprint:
    """Digest a file, or all files of a folder."""
    files = [output] if output.is_file() else [path for path in sorted(output.rglob("*")) if path.is_file()]
    return {str(path.relative_to(output.parent)): _digest(_content(path)) for path in files if path.name != ".lock"}


def _run(output: Path) -> Fingerprint:
    """Digest weights, card and scores of a training run."""
    run = output / "tiny"
    best = (run / "best.safetensors").read_bytes()
    header_size = 8 + int.from_bytes(best[:8], "little")
    card = json.loads(json.loads(best[8:header_size])["__metadata__"]["card"])
    card.pop("provenance")
    card.pop("recipe")
    names, *rows = [line.split(",") for line in (run / "log/metrics.csv").read_text().splitlines()]
    kept = [[cell for name, cell in zip(names, row, strict=True) if name not in TIME_COLUMNS] for row in rows]
    parts = {"weights": best[header_size:], "card": json.dumps(card).encode(), "metrics": json.dumps(kept).encode()}
    runs = sorted(path.name for path in output.iterdir())
    return {name: _digest(part) for name, part in parts.items()} | {"runs": " ".join(runs)}


def _content(path: Path) -> bytes:
    """Return the content of a file without the times that it records."""
    return re.sub(TIMES.get(path.suffix, b"$^"), b"", path.read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
