"""File names with every odd character, devices, loops of links, and absurd values of options."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

from torture.ordinary import write_scene
from torture.sandbox import TARGETS

from .cases import Case, Place, evaluate, info, polygonize, predict

NAMES = (
    "a b.tif", "qu'ote\".tif", "-dash.tif", "new\nline.tif", "\u00fc\u4e2d\U0001f4a5.tif", "tab\t.tif", "%s%n.tif",
    "x" * 240 + ".tif",
    "[1].tif", "caf\u0301e\u202e.tif", "back\\slash.tif", "{b}.tif", " .tif", "?x=1.tif", "not utf-8 \udcff.tif",
    "#fragment.tif",
    "a:b.tif", "a,b.tif", "*.tif", "~.tif", "$HOME.tif", "a.tif.", "UPPER.TIF", ".hidden.tif", "a;b.tif", "&amp;.tif",
    "\x1b[31mred.tif", "no suffix",
)  # fmt: skip

AREAS = (
    "nan,nan,nan,nan",
    "inf,0,inf,1",
    "1e308,1e308,-1e308,-1e308",
    "0,0,0,0",
    "1,2,3",
    "a,b,c,d",
    "",
    "1e400,0,1,1",
)

OPTIONS = (
    ("--gsd", "1e-300"), ("--gsd", "nan"), ("--gsd", "inf"), ("--gsd", "-1"), ("--gsd", "0"), ("--gsd", "1e300"),
    ("--tile", "999999999"),
    ("--tile", "0"), ("--tile", "-5"), ("--halo", "99999999"), ("--halo", "-1"), ("--batch", "0"),
    ("--batch", "-1"),
    ("--bands", "0,0,0"), ("--bands", "1,2"), ("--bands", "1,2,99"), ("--bands", "nan"),
    ("--stride", "0", "--mode", "slide"),
    ("--bbox", "13,52,14,53", "--bbox-crs", "EPSG:4326"),
    ("--bbox", "400000,5799990,400010,5800000", "--bbox-crs", "no such"),
    ("--bbox", "400000,5799990,400010,5800000", "--bbox-crs", 'LOCAL_CS["x"]'), ("--device", "cuda:99"),
    ("--aoi", "/dev/null"),
    ("--model", "/dev/zero"), ("--model", "/"), ("--dask", "tcp://127.0.0.1:9"), ("--probabilities", "/dev/full"),
)  # fmt: skip

POLYGON_OPTIONS = (
    ("--min-area", "nan"), ("--min-area", "inf"), ("--min-area", "-1"), ("--min-area", "1e300"), ("--simplify", "nan"),
    ("--simplify", "inf"),
    ("--simplify", "1e300"), ("--simplify", "-1"), ("--fill-holes", "nan"), ("--fill-holes", "1e300"),
    ("--crs", "EPSG:99999999"), ("--crs", "EPSG:4978"),
    ("--crs", 'LOCAL_CS["x"]'), ("--crs", "+proj=merc +a=0"), ("--classes", ""), ("--classes", ",,"),
    ("--orthogonalize", "nothing"), ("--confidence", "/dev/zero"),
)  # fmt: skip


def write_cases(place: Place) -> Iterator[Case]:
    """Write files and yield their calls."""
    for number, name in enumerate(NAMES):
        yield from _name_calls(place, number, name)
    for area in AREAS:
        yield predict(f"--bbox {area}", place.scene, place.model, f"--bbox={area}", must_fail=True)
    for words in OPTIONS:
        yield predict(f"option {' '.join(words)}", place.scene, place.model, *words)
    for words in POLYGON_OPTIONS:
        yield polygonize(f"option {' '.join(words)}", place.mask, *words)
    unplaced = write_scene(place.folder / "unplaced.tif", crs=None, transform=None)
    for gsd in ("1e-300", "1e300", "nan", "inf", "0.0001", "1000"):
        yield predict(f"no CRS, --gsd {gsd}", unplaced, place.model, "--gsd", gsd)
    yield from _special_files(place)


def _name_calls(place: Place, number: int, name: str) -> Iterator[Case]:
    """Use a name for inputs and outputs."""
    folder = place.folder / f"{number:02}"
    folder.mkdir()
    shutil.copy(place.scene, scene := folder / name)
    shutil.copy(place.mask, mask := folder / f"m{name[-200:]}")
    short = name[-200:]
    label = ascii(name)[:40]
    yield info(f"name {label}", scene)
    yield predict(
        f"name {label}", scene, place.model, output=short if short.lower().endswith(".tif") else f"{short}.tif"
    )
    yield polygonize(f"name {label}", mask, output=f"{short}.gpkg")
    yield polygonize(f"name {label} as GeoJSON", mask, output=f"{short}.geojson")
    yield evaluate(f"name {label}", mask, mask)


def _special_files(place: Place) -> Iterator[Case]:
    os.mkfifo(fifo := place.folder / "fifo.tif")
    (loop := place.folder / "loop.tif").symlink_to("loop.tif")
    (dangling := place.folder / "dangling.tif").symlink_to("nowhere.tif")
    (empty := place.folder / "empty.tif").touch()
    (folder := place.folder / "folder.tif").mkdir()
    for path in (
        fifo,
        loop,
        dangling,
        empty,
        folder,
        "/dev/zero",
        "/dev/null",
        "/dev/random",
        "/proc/self/mem",
        "/",
        "",
        ".",
    ):
        options: dict[str, Any] = {"seconds": 10, "must_fail": True}
        yield info(f"special file {path}", path, **options)
        yield predict(f"special file {path}", path, place.model, **options)
        yield polygonize(f"special file {path}", path, **options)
        yield predict(f"with model {path}", place.scene, path or "''", **options)
    (targets := place.folder / TARGETS).mkdir()
    (targets / "folder.tif").mkdir()
    (targets / "loop.tif").symlink_to("loop.tif")
    usable = [str(targets / "loop.tif"), str(targets / "folder.tif")]  # a link is replaced, a folder receives the mask
    for target in ("/dev/full", "/dev/null", "/proc/self/mask.tif", "/nowhere/mask.tif", *usable):
        words = ("predict", str(place.scene), "-o", target, "--model", str(place.model), "--overwrite")
        yield Case(f"predict to {target}", words, seconds=10, must_fail=target not in usable)
