"""Archives of a data set with paths that lead outside, bombs, cut files, and images that declare terabytes."""

import io
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from .cases import Case, Place
from .rasters import huge_png

IMAGE, LABEL = "Train/Urban/images_png/0.png", "Train/Urban/masks_png/0.png"


def write_cases(place: Place) -> Iterator[Case]:
    """Write folders of LoveDA archives and yield their calls."""
    for write in (_paths_outside, _bomb, _garbage, _cut, _links, _declared_size, _equal_names, _encrypted_flag):
        label = write.__name__.strip("_").replace("_", " ")
        folder = place.folder / write.__name__.strip("_")
        folder.mkdir()
        write(folder, place)
        for more in (("--check",), (), ("--set", "data.complete=false")):
            words = ("prepare", "loveda", str(folder), "-o", "OUT", *more)
            complete = "data.complete=false" not in more  # without it, the valid members are a data set
            yield Case(f"prepare {label} {' '.join(more)}".strip(), words, "prepared", seconds=60, must_fail=complete)


def _pixels() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 7, np.uint8)).save(file, "png")
    return file.getvalue()


def _archive(folder: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(folder / "Train.zip", "w", zipfile.ZIP_DEFLATED)


def _paths_outside(folder: Path, place: Place) -> None:
    names = ("../../outside.png", f"{place.archives}/absolute.png", f"{Path(IMAGE).parent}/../../../../up.png")
    with _archive(folder) as archive:
        for name in (*names, IMAGE, LABEL):
            archive.writestr(name, _pixels())


def _bomb(folder: Path, _place: Place) -> None:
    with _archive(folder) as archive:
        with archive.open(IMAGE, "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(10_000_000))
        archive.writestr(LABEL, _pixels())


def _garbage(folder: Path, _place: Place) -> None:
    (folder / "Train.zip").write_bytes(b"PK\x03\x04" + np.random.default_rng(0).bytes(500))


def _cut(folder: Path, place: Place) -> None:
    _paths_outside(folder, place)
    content = (folder / "Train.zip").read_bytes()
    (folder / "Train.zip").write_bytes(content[: len(content) // 2])


def _links(folder: Path, _place: Place) -> None:
    for name in (IMAGE, LABEL):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.symlink_to("/etc/passwd")


def _declared_size(folder: Path, _place: Place) -> None:
    for split in ("Train/Urban", "Val/Urban"):
        for kind in ("images_png", "masks_png"):
            path = folder / split / kind / "0.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(huge_png(200_000, 200_000))


def _equal_names(folder: Path, _place: Place) -> None:
    with _archive(folder) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in (IMAGE, IMAGE, LABEL):
            archive.writestr(name, _pixels())


def _encrypted_flag(folder: Path, place: Place) -> None:
    _paths_outside(folder, place)
    path = folder / "Train.zip"
    content = bytearray(path.read_bytes())
    start = content.find(b"PK\x01\x02")
    while start >= 0:
        content[start + 8] |= 1
        start = content.find(b"PK\x01\x02", start + 4)
    path.write_bytes(content)
    shutil.copy(path, folder / "Val.zip")
