"""What is compared of each kind of file, and what may differ."""

import base64
import csv
import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import rasterio
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from trees import say

VOLATILE = {
    "date": "when a model was made",
    "made": "when a report was made",
    "geoseg": "the version, in provenance",
    "environment": "versions and date, in a report",
    "model_digest": "of a file with a date in it; its weights are compared",
    "seconds": "how long preparing a scene took",
    "seal": "follows from the date in the card",
}
"""Keys of JSON, YAML and cards whose values are left out, and what they say."""

WORDS = {"text", "protocol", "settings", "description", "mistake"}
"""Keys whose values are left out where they are sentences: protocols, and where settings of an import come from."""

TIMES = {"images_per_second", "wait_share", "memory_gb"}
"""Columns of a training's log that tell about the machine."""

SPELLINGS = {"zoo": "openmmlab"}
"""Values that are called otherwise in newer trees; both sides are read in the new spelling."""

LEFT_OUT = re.compile(r"(^|/)(events\.out\.tfevents\..*|\.lock|curves\.png)$")
"""TensorBoard's files hold clock times, locks nothing, and curves are drawn from the log with clock times in it."""


def plain(value: Any, key: str = "") -> Any:
    """Leave out what may differ, and spell values as newer trees do.

    Args:
        value: What JSON or YAML holds.
        key: The key that it stands under.

    Returns:
        The same without it.
    """
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if name not in VOLATILE and not _is_wording(name, each)}
        return {SPELLINGS.get(name, name): plain(each, name) for name, each in kept.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, str) and key == "recipe":  # YAML in a report
        return plain(yaml.safe_load(value))
    return SPELLINGS.get(value, value) if isinstance(value, str) else value


def _is_wording(key: str, value: Any) -> bool:
    return key in WORDS and isinstance(value, str) and " " in value


def geotiff(path: Path) -> Any:
    """Read pixels, profile, tags, colours and overviews of a raster."""
    with rasterio.open(path) as file:
        bands = file.indexes
        about: dict[str, Any] = {key: str(value) for key, value in file.profile.items()}
        about |= {"tags": {space: file.tags(ns=space) for space in ("", *file.tag_namespaces())}}
        about |= {"bands": [(file.descriptions[i - 1], str(file.colorinterp[i - 1]), file.tags(i)) for i in bands]}
        about |= {"overviews": [file.overviews(i) for i in bands], "gcps": str(file.gcps)}
        about |= {"scales": [file.scales, file.offsets], "valid": file.dataset_mask()}
        if file.colorinterp[0] == rasterio.enums.ColorInterp.palette:
            about["colours"] = file.colormap(1)
        return about | {"pixels": file.read()}


def geopackage(path: Path) -> Any:
    """Read every table of a GeoPackage, its index too, in the order of its rows, without clock times."""
    clocks = {("gpkg_contents", "last_change"), ("layer_styles", "update_time")}
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as file:
        kinds = "select name, sql from sqlite_master where type = 'table' order by name"
        tables = [(name, sql) for name, sql in file.execute(kinds) if not sql.lower().startswith("create virtual")]
        found: dict[str, Any] = {"schema": sorted(map(str, file.execute("select type, name, sql from sqlite_master")))}
        for name, _ in tables:
            columns = [row[1] for row in file.execute(f'pragma table_info("{name}")')]
            kept = [column for column in columns if (name, column) not in clocks]
            quoted = ", ".join(f'"{column}"' for column in kept)
            found[name] = [dict(zip(kept, row, strict=True)) for row in file.execute(f'select {quoted} from "{name}"')]
    return found


def parquet(path: Path) -> Any:
    """Read rows and schema of a Parquet file."""
    table = pyarrow.parquet.read_table(path)
    return {"schema": str(table.schema), "metadata": table.schema.metadata, "rows": table.to_pylist()}


def dbf(path: Path) -> Any:
    """Read a table of a shapefile without the date in its head."""
    content = path.read_bytes()
    return content[:1] + content[4:]


def bundle(path: Path) -> Any:
    """Read weights and card of a model."""
    with safe_open(path, "np") as file:
        head = dict(file.metadata() or {})
        card = plain(json.loads(head.pop("card", "{}")))
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    return {"head": plain(head), "card": card, "weights": weights}


def checkpoint(path: Path) -> Any:
    """Read a run's checkpoint."""
    return plain(torch.load(path, map_location="cpu", weights_only=True))


def log(path: Path) -> Any:
    """Read a training's log without clock times."""
    with path.open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def page(path: Path) -> Any:
    """Read the pictures in a page, whose words may change."""
    found = re.findall(r"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/=]+)", path.read_text("utf-8"))
    return [base64.b64decode(each) for each in found]


def tables(path: Path) -> Any:
    """Read the numbers in tables of Markdown."""
    rows = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")]
    return [re.findall(r"\d+\.\d+", row) for row in rows]


READERS: dict[str, Callable[[Path], Any]] = {
    ".tif": geotiff,
    ".gpkg": geopackage,
    ".parquet": parquet,
    ".dbf": dbf,
    ".safetensors": bundle,
    ".ckpt": checkpoint,
    ".csv": log,
    ".html": page,
    ".md": tables,
    ".json": lambda path: plain(json.loads(path.read_text("utf-8"))),
    ".yaml": lambda path: plain(yaml.safe_load(path.read_text("utf-8"))),
    ".npz": lambda path: dict(np.load(path)),
    ".png": lambda path: np.asarray(Image.open(path)),
}
"""How a file is read if its bytes differ; a file of another kind must be the same."""


def first_difference(one: Any, other: Any, at: str = "") -> str:
    """Find where two values differ.

    Args:
        one: A value of dictionaries, lists, arrays and plain things.
        other: Another.
        at: What leads to them.

    Returns:
        The place and both values in short; empty if they are equal to the last bit.
    """
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor) and one.dtype == other.dtype:
        one, other = (each.contiguous().flatten().view(torch.uint8).numpy() for each in (one, other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return _of_arrays(one, other, at)
    if isinstance(one, dict) and isinstance(other, dict):
        alone = sorted(map(str, one.keys() ^ other.keys()))
        pairs = [(key, value, other[key]) for key, value in one.items() if key in other]
        said = f"{at}: only one has {alone[0]}" if alone else ""
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = [(place, *pair) for place, pair in enumerate(zip(one, other, strict=False))]
        said = "" if len(one) == len(other) else f"{at}: {len(one)} and {len(other)} entries"
    else:
        same = repr(one) == repr(other) if isinstance(one, float) else type(one) is type(other) and one == other
        return "" if same else f"{at}: {str(one)[:50]!r}, {str(other)[:50]!r}"
    return said or next((d for key, a, b in pairs if (d := first_difference(a, b, f"{at}/{key}"))), "")


def _of_arrays(one: np.ndarray, other: np.ndarray, at: str) -> str:
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return f"{at}: {one.dtype} {one.shape}, {other.dtype} {other.shape}"
    return "" if one.tobytes() == other.tobytes() else f"{at}: {np.count_nonzero(one != other)} of {one.size} values"


def files_of(folder: Path) -> dict[str, Path]:
    """List what is compared in a folder.

    Args:
        folder: The folder.

    Returns:
        Files, and links as they are, by path.
    """
    there = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in there}
    return {name: path for name, path in sorted(named.items()) if not LEFT_OUT.search(name)}


def difference(one: Path, other: Path) -> tuple[str, str]:
    """Compare two files.

    Args:
        one: A file.
        other: Another.

    Returns:
        ``bytes``, ``content`` or ``differs``, and the first difference.
    """
    if one.is_symlink() or other.is_symlink():
        same = one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
        return ("bytes", "") if same else ("differs", "links to something else")
    first, second = one.read_bytes(), other.read_bytes()
    if first == second:
        return "bytes", ""
    reader = READERS.get(one.suffix)
    if reader is None:
        place = next(
            (n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
        )
        return "differs", f"byte {place} of {len(first)} and {len(second)}"
    found = first_difference(reader(one), reader(other))
    return ("differs", found) if found else ("content", "")


def compare_folders(base: Path, working: Path, cases: Iterable[str]) -> int:
    """Compare cases, and print a table.

    Args:
        base: Folder of the base tree's outputs.
        working: That of the other tree's.
        cases: Names of cases.

    Returns:
        1 if anything differs or failed, else 0.
    """
    say(f"{'case':22} {'files':>6} {'same bytes':>11} {'same content':>13} {'differ':>7}")
    said, total = [], 0
    for case in cases:
        ours, theirs = files_of(base / case), files_of(working / case)
        kinds = {"bytes": 0, "content": 0, "differs": 0}
        for name in sorted(ours.keys() | theirs.keys()):
            kind, found = "differs", f"only the {'base' if name in ours else 'working tree'} has it"
            if name in ours and name in theirs:
                kind, found = difference(ours[name], theirs[name])
                if name == "FAILED.txt":
                    kind, found = "differs", "the case failed in both trees"
            kinds[kind] += 1
            if kind == "differs":
                said.append(f"  {case}/{name}: {found}")
        total += kinds["differs"]
        say(f"{case:22} {sum(kinds.values()):6} {kinds['bytes']:11} {kinds['content']:13} {kinds['differs']:7}")
    say("\n" + ("\n".join(said) if said else "all equal"))
    return int(total > 0)
