"""Miniatures of the benchmarks' archives, laid out as their owners publish them, zipped or unpacked.

Labels are squares of classes and images show them: every class has a colour of its own in red, green, blue and near
infrared, with a little noise, so a network can learn them. All content comes from the scene's name alone. A builder
takes ``content`` to write other bytes under the same names: ``content(kind, key)``, for instance
``content("rgb", (2, 10))``; where it gives None, the file is as it always is.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zlib import crc32

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile

from geoseg.config.load import parse_recipe
from geoseg.config.recipe import DataSection
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import isaid as isaid_module
from geoseg.data.datasets import loveda as loveda_module

Content = Callable[[str, Any], bytes | None]
Place = Literal["tfw", "crs"]

POTSDAM_TILES = [
    *((row, col) for row in (2, 3) for col in range(10, 15)),
    *((row, col) for row in (4, 5) for col in range(10, 16)),
    *((6, col) for col in range(7, 16)),
    *((7, col) for col in range(7, 14)),
]
"""(row, column) of all 38 tiles."""
VAIHINGEN_AREAS = [*range(1, 9), *range(10, 18), *range(20, 25), *range(26, 36), 37, 38]
"""Numbers of all 33 areas."""

DARK = 0.7
"""How bright the other domain is: Vaihingen beside Potsdam, rural beside urban."""


def archive_section(dataset: str, root: Path, **options: Any) -> DataSection:
    """The data section of a recipe over a folder of archives, prepared beside it."""
    data = {"dataset": dataset, "root": str(root), "prepared": str(root.parent / f"{root.name}-prepared")}
    return parse_recipe({"data": data | options}).data


class Painted(NamedTuple):
    """A scene made in code."""

    mask: NDArray[np.uint8]
    """Class indices (row, col)."""
    spectrum: NDArray[np.uint8]
    """Red, green, blue and near infrared (band, row, col)."""


def painted(key: object, height: int, width: int, classes: int, *, side: int = 16, brightness: float = 1.0) -> Painted:
    """Squares of ``side`` pixels, every class among them if there is room, and an image that shows them."""
    rng = np.random.default_rng(crc32(repr(key).encode()))
    rows, cols = np.indices((height, width)) // side
    mask = ((rows * (cols.max() + 1) + cols + rng.integers(classes)) % classes).astype(np.uint8)
    colours = 40 + 200 * (np.arange(1, classes + 1)[:, None] * [0.618, 0.414, 0.732, 0.236] % 1)
    shown = colours[mask].transpose(2, 0, 1) * brightness + rng.integers(-9, 10, (4, height, width))
    return Painted(mask, shown.clip(0, 255).astype(np.uint8))


def tiff(values: NDArray[Any], *, place: Affine | None = None, alpha: bool = False) -> bytes:
    """Values (band, row, col) as a GeoTIFF in UTM, or without place; ``alpha`` marks the last band so."""
    if place is None:
        return _picture(values, "TIFF")
    bands, height, width = values.shape
    shape = {"count": bands, "height": height, "width": width, "dtype": values.dtype}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", crs="EPSG:32633", transform=place, **shape) as file:
            file.write(values)
            if alpha:
                file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        return bytes(memory.read())


def png(values: NDArray[Any]) -> bytes:
    """Values (band, row, col) as PNG."""
    return _picture(values, "PNG")


def _picture(values: NDArray[Any], kind: str) -> bytes:
    """Pillow marks the fourth of four bands as alpha."""
    file = io.BytesIO()
    Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))).save(file, kind)
    return file.getvalue()


def world_file(place: Affine) -> bytes:
    """The six lines of a .tfw."""
    centre = (place.c + place.a / 2, place.f + place.e / 2)
    return "\n".join(f"{number:.10f}" for number in (place.a, place.d, place.b, place.e, *centre)).encode()


def pack(root: Path, archive: str, members: Iterable[tuple[str, bytes]], *, zipped: bool, unpacked: str = "") -> None:
    """An archive at a path below ``root``, or what unpacking it into the folder ``unpacked`` leaves."""
    if zipped:
        (root / archive).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(root / archive, "w") as file:
            for name, content in members:
                file.writestr(name, content)
        return
    for name, content in members:
        path = root / unpacked / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _chosen(content: Content | None, made: Content) -> Callable[[str, Any], bytes]:
    """What ``content`` gives, else what is ``made``."""

    def chosen(kind: str, key: Any) -> bytes:
        other = None if content is None else content(kind, key)
        return other or made(kind, key) or b""

    return chosen


def _boundaries(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """True along the borders of objects."""
    edge = np.zeros(mask.shape, bool)
    edge[:, 1:] |= mask[:, 1:] != mask[:, :-1]
    edge[1:] |= mask[1:] != mask[:-1]
    return edge


def _city_label(mask: NDArray[np.uint8], *, eroded: bool) -> NDArray[np.uint8]:
    """Class indices as colours (band, row, col); black along borders if ``eroded``."""
    colours = isprs.LEGEND.draw(mask)
    return np.where(_boundaries(mask)[..., None] & eroded, 0, colours).astype(np.uint8).transpose(2, 0, 1)


POTSDAM_ARCHIVES = {
    "rgb": ("2_Ortho_RGB.zip", "2_Ortho_RGB/top_potsdam_{0}_{1}_RGB.tif"),
    "irrg": ("3_Ortho_IRRG.zip", "3_Ortho_IRRG/top_potsdam_{0}_{1}_IRRG.tif"),
    "rgbir": ("4_Ortho_RGBIR.zip", "4_Ortho_RGBIR/top_potsdam_{0}_{1}_RGBIR.tif"),
    "full": ("5_Labels_all.zip", "top_potsdam_{0}_{1}_label.tif"),
    "no_boundary": ("5_Labels_all_noBoundary.zip", "top_potsdam_{0}_{1}_label_noBoundary.tif"),
    "participants": ("5_Labels_for_participants.zip", "5_Labels_for_participants/top_potsdam_{0}_{1}_label.tif"),
}
"""Archive and member of each kind of file; some archives hold a folder, some do not."""
BANDS = {"rgb": [0, 1, 2], "irrg": [3, 0, 1], "rgbir": [0, 1, 2, 3]}


def potsdam_archives(
    root: Path,
    *,
    size: int = 64,
    zipped: bool = True,
    tiles: Iterable[tuple[int, int]] = tuple(POTSDAM_TILES),
    kinds: Iterable[str] = ("rgb", "no_boundary"),
    place: Place = "tfw",
    content: Content | None = None,
) -> Path:
    """Tiles of ``size`` x ``size`` pixels of 5 cm; ``kinds`` are names of :data:`POTSDAM_ARCHIVES`."""
    tiles = list(tiles)

    def made(kind: str, tile: tuple[int, int]) -> bytes:
        mask, spectrum = painted(("potsdam", *tile), size, size, len(isprs.LEGEND), side=max(size // 8, 1))
        at = potsdam_place(tile, size) if place == "crs" else None
        if kind in BANDS:
            return tiff(spectrum[BANDS[kind]], place=at, alpha=kind == "rgbir")
        return tiff(_city_label(mask, eroded=kind == "no_boundary"), place=at)

    for kind in kinds:
        archive, member = POTSDAM_ARCHIVES[kind]
        here = [tile for tile in tiles if kind != "participants" or tile[1] <= 12]
        members = [(member.format(*tile), _chosen(content, made)(kind, tile)) for tile in here]
        if place == "tfw" and kind in BANDS:
            worlds = [world_file(potsdam_place(tile, size)) for tile in here]
            members += [(member.format(*t).replace(".tif", ".tfw"), w) for t, w in zip(here, worlds, strict=True)]
        pack(root, archive, members, zipped=zipped, unpacked="" if "/" in member else archive.removesuffix(".zip"))
    return root


def potsdam_place(tile: tuple[int, int], size: int) -> Affine:
    """Where a tile lies: tiles touch."""
    return Affine(0.05, 0, 366_000 + 0.05 * size * tile[1], 0, -0.05, 5_808_000 - 0.05 * size * tile[0])


VAIHINGEN_ARCHIVES = {
    "images": ("ISPRS_semantic_labeling_Vaihingen.zip", "top/top_mosaic_09cm_area{0}.tif"),
    "dsm": ("ISPRS_semantic_labeling_Vaihingen.zip", "dsm/dsm_09cm_matching_area{0}.tif"),
    "participants": ("ISPRS_semantic_labeling_Vaihingen.zip", "gts_for_participants/top_mosaic_09cm_area{0}.tif"),
    "full": ("ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE.zip", "top_mosaic_09cm_area{0}.tif"),
    "no_boundary": (
        "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE.zip",
        "top_mosaic_09cm_area{0}_noBoundary.tif",
    ),
}


def vaihingen_archives(
    root: Path,
    *,
    size: int | Mapping[int, tuple[int, int]] = 64,
    zipped: bool = True,
    areas: Iterable[int] = tuple(VAIHINGEN_AREAS),
    kinds: Iterable[str] = ("images", "dsm", "no_boundary"),
    content: Content | None = None,
) -> Path:
    """Areas of ``size`` pixels (one side, or (height, width) by area) of 9 cm, placed by .tfw.

    As in reality there are eroded labels of an area 9 that has no image.
    """
    areas = list(areas)

    def made(kind: str, area: int) -> bytes:
        height, width = (size, size) if isinstance(size, int) else size.get(area, (64, 64))
        mask, spectrum = painted(
            ("vaihingen", area), height, width, len(isprs.LEGEND), side=max(height // 8, 1), brightness=DARK
        )
        if kind == "images":
            return tiff(spectrum[BANDS["irrg"]])
        if kind == "dsm":
            return tiff(np.linspace(250, 300, height * width, dtype=np.float32).reshape(1, height, width))
        return tiff(_city_label(mask, eroded=kind == "no_boundary"))

    by_archive: dict[str, list[tuple[str, bytes]]] = {}
    for kind in kinds:
        archive, member = VAIHINGEN_ARCHIVES[kind]
        for area in [*areas, 9] if kind == "no_boundary" else areas:
            by_archive.setdefault(archive, []).append((member.format(area), _chosen(content, made)(kind, area)))
            if kind == "images":
                world = world_file(Affine(0.09, 0, 496_000 + 900 * area, 0, -0.09, 5_420_000))
                by_archive[archive].append((member.format(area).replace(".tif", ".tfw"), world))
    for archive, members in by_archive.items():
        pack(root, archive, members, zipped=zipped, unpacked=archive.removesuffix(".zip"))
    return root


ISAID_FIRST = {"train": 0, "val": 3, "test": 6}
"""Number of a split's first image; the next is ten further, so numbers are mixed as in DOTA."""


def isaid_archives(
    root: Path,
    *,
    size: int = 64,
    count: int | Mapping[str, int] = 6,
    zipped: bool = True,
    content: Content | None = None,
) -> Path:
    """``count`` images in each split (or by split), some higher than wide; ``size`` is the shorter side."""
    classes = isaid_module.LEGEND

    def made(kind: str, number: int) -> bytes:
        height, width = [(size, size), (size, size * 5 // 4), (size * 3 // 2, size)][number // 10 % 3]
        mask, spectrum = painted(("isaid", number), height, width, len(classes), side=max(size // 8, 1))
        ground = np.indices(mask.shape).sum(axis=0) // max(size // 8, 1) % 2 == 0  # background wherever no object lies
        mask = np.where(ground, 0, mask)
        if kind == "images":
            return png(np.where(ground, spectrum // 8, spectrum)[:3])
        return png(classes.draw(mask).transpose(2, 0, 1))

    for split, first in ISAID_FIRST.items():
        many = count if isinstance(count, int) else count.get(split, 0)
        numbers = range(first, first + 10 * many, 10)
        parts = {"train": 3, "val": 1, "test": 2}[split]
        for part in range(parts):
            images = [(f"images/P{n:04d}.png", _chosen(content, made)("images", n)) for n in numbers[part::parts]]
            archive = f"{split}/images/part{part + 1}.zip"
            pack(root, archive, images, zipped=zipped, unpacked=f"{split}/images")
        if split != "test":
            masks = [(f"images/P{n:04d}_instance_color_RGB.png", _chosen(content, made)("masks", n)) for n in numbers]
            pack(root, f"{split}/Semantic_masks/images.zip", masks, zipped=zipped, unpacked=f"{split}/Semantic_masks")
    return root


def loveda_archives(
    root: Path,
    *,
    size: int = 64,
    count: int | Mapping[tuple[str, str], int] = 3,
    zipped: bool = True,
    merged: bool = False,
    content: Content | None = None,
) -> Path:
    """``count`` images of each split and domain (or by both) under their real numbers; rural ones are darker.

    ``merged`` is the layout of OpenMMLab's converter, which puts both domains into one folder.
    """
    classes = len(loveda_module.LEGEND)

    def made(kind: str, key: tuple[str, str, int]) -> bytes:
        _, domain, number = key
        brightness = DARK if domain == "rural" else 1.0
        mask, spectrum = painted(("loveda", number), size, size, classes, side=max(size // 8, 1), brightness=brightness)
        if kind == "images":
            return png(spectrum[:3])
        values = mask + 1
        values[: size // 16] = 0  # no data
        return png(values[None])

    for split, domains in loveda_module.IDS.items():
        members = []
        for domain, ids in domains.items():
            many = count if isinstance(count, int) else count.get((split, domain), 0)
            for kind in ("images", "masks") if split != "test" else ("images",):
                folder = f"{split.title()}/{domain.title()}/{kind}_png"
                if merged:
                    folder = f"{'img' if kind == 'images' else 'ann'}_dir/{split}"
                members += [(f"{folder}/{n}.png", _chosen(content, made)(kind, (split, domain, n))) for n in ids[:many]]
        pack(root, f"{split.title()}.zip", members, zipped=zipped and not merged)
    return root
