"""Rasters in the making: on disk in *slabs*, files of a few hundred rows that are whole as soon as they have their name.

What is lost when a program is killed is the slab it was at, nothing else: whoever goes on asks :attr:`Slabs.missing`.
Several processes, on several machines that see the same folder, may write slabs of the same rasters, each its own.

A folder holds slabs of one or several products of one prediction, and the settings they were made with. A slab of 512
rows is one row of the final file's blocks. Compressed by ZSTD where GDAL has it, it costs 2 ms per megapixel to write
and to read back, which every slab is, because GDAL keeps quiet about a disk that fills up while it closes a file.
"""

import contextlib
import functools
import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from geoseg.grid.grid import Grid
from geoseg.grid.tiling import strips
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.metadata import CLASSES_TAG, GroundControl
from geoseg.raster.open_raster import quiet_gdal
from geoseg.raster.prediction_outputs import STEPS, Product
from geoseg.raster.vrt import add, vrt_dataset

BLOCK = 512
"""Side of the files' blocks in pixels, and rows of a slab; a multiple of 16, as TIFF wants it."""

SETTINGS = "settings.json"
"""The file in a folder of slabs that says what they were made with."""

Pixels = Mapping[str, NDArray[np.uint8]]
"""By the name of a product: its bytes, axes (band, row, col)."""


class Slabs:
    """The slabs of some products in a folder; windows count from the rasters' first pixel and are as wide as they.

    Windows may be written in any order, by several threads, each pixel once; those of a slab are held in memory until
    they fill it. ``OSError`` if the disk does not take them.
    """

    def __init__(self, folder: Path, shape: tuple[int, int], products: Sequence[Product]) -> None:
        self.folder = folder
        self.shape = shape
        self.products = tuple(products)
        self._begun: dict[int, _Slab] = {}
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, Any] | None:
        """What the slabs in the folder were made with; None if there are none yet."""
        try:
            settings: dict[str, Any] = json.loads((self.folder / SETTINGS).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return settings

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Make an empty folder for slabs made with these settings; what was in it is gone."""
        self.remove()
        self.folder.mkdir()
        (self.folder / SETTINGS).write_text(json.dumps(dict(settings)), "utf-8")

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remember(self, name: str, choose: Callable[[], int]) -> int:
        """A number that is chosen once for all slabs in the folder, whoever writes them, and whenever."""
        place = self.folder / name
        if not place.exists():
            number, part = choose(), place.with_suffix(f".{uuid.uuid4().hex}.part")
            part.mkdir()
            (part / "number.txt").write_text(str(number), "ascii")
            # Whole at once, and only once: a folder cannot take the place of one that holds something.
            with contextlib.suppress(OSError):
                part.rename(place)
        return int((place / "number.txt").read_text("ascii"))

    @property
    def places(self) -> list[Window]:
        """Where slabs lie, top to bottom."""
        return list(strips(*self.shape, BLOCK))

    @property
    def missing(self) -> list[Window]:
        """Where slabs are missing; neighbours as one window."""
        holes = [place for place in self.places if not self.is_there(place)]
        runs = groupby(enumerate(holes), key=lambda numbered: numbered[1].row // BLOCK - numbered[0])
        joined = []
        for _, run in runs:
            windows = [window for _, window in run]
            joined.append(Window(windows[0].row, 0, windows[-1].row_stop - windows[0].row, self.shape[1]))
        return joined

    def is_there(self, place: Window) -> bool:
        """True if the slab at one of :attr:`places` is there for every product."""
        return all(self.path(product, place).exists() for product in self.products)

    def path(self, product: Product, place: Window) -> Path:
        """The file of a product's slab."""
        return self.folder / f"{product.name}-{place.row:09}.tif"

    def write(self, window: Window, pixels: Pixels) -> None:
        """Keep the pixels of a window, and write those slabs that are whole now."""
        require_inside(self.shape, window, pixels)
        for place, part in _slabs_of(window, self.shape):
            with self._lock:
                if place.row not in self._begun:
                    self._begun[place.row] = _Slab(place, self.products)
                slab = self._begun[place.row]
                is_whole = slab.take(part, window, pixels)
            if is_whole:
                self._write(slab)

    def flush(self) -> None:
        """Write the slabs that are begun as if they were whole; what they lack is nodata."""
        for slab in list(self._begun.values()):
            self._write(slab)

    def _write(self, slab: "_Slab") -> None:
        for product in self.products:
            _write_file(self.path(product, slab.place), slab.pixels[product.name])
        del self._begun[slab.place.row]


def require_inside(shape: tuple[int, int], window: Window, pixels: Pixels) -> None:
    """Our own mistakes, caught where they show: a window outside the raster, or of another shape than its pixels."""
    assert Window(0, 0, *shape).contains(window), f"{window} reaches outside a raster of {shape}"
    for name, values in pixels.items():
        assert values.shape[1:] == window.shape, f"{name} of {values.shape} for a window of {window.shape}"
        assert values.dtype == np.uint8, f"{name} is of bytes, not {values.dtype}"


class _Slab:
    """A slab whose pixels are coming in."""

    def __init__(self, place: Window, products: Sequence[Product]) -> None:
        self.place = place
        self.lacks = place.height * place.width
        shapes = {product.name: (len(product.bands), *place.shape) for product in products}
        self.pixels = {name: np.full(shape, IGNORE_INDEX, np.uint8) for name, shape in shapes.items()}

    def take(self, part: Window, window: Window, pixels: Pixels) -> bool:
        """Take a part of a window's pixels; True if that was the last."""
        for name, into in self.pixels.items():
            into[:, *part.relative_to(self.place).slices()] = pixels[name][:, *part.relative_to(window).slices()]
        self.lacks -= part.height * part.width
        return self.lacks == 0


def _slabs_of(window: Window, shape: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    """The places of the slabs a window reaches into, and what of it lies in each."""
    for row in range(window.row // BLOCK * BLOCK, window.row_stop, BLOCK):
        place = Window(row, 0, BLOCK, shape[1]).clip_to(*shape)
        part = place.intersection(window)
        if not part.is_empty:
            yield place, part


def _write_file(path: Path, pixels: NDArray[np.uint8]) -> None:
    """A slab that appears whole or not at all, whatever happens to the program."""
    part = path.with_suffix(f".{uuid.uuid4().hex}.part")  # processes on two machines may have the same number
    with quiet_gdal():
        dataset = rasterio.open(part, "w", **_profile(pixels.shape))
    with dataset:
        dataset.write(pixels)
    with quiet_gdal():
        dataset = rasterio.open(part)
    with dataset:
        if not np.array_equal(dataset.read(), pixels):
            raise OSError("the file read back is not the file written")
    part.replace(path)


def _profile(shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        **dict(zip(("count", "height", "width"), shape, strict=True)),
        "dtype": "uint8",
        "nodata": IGNORE_INDEX,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "interleave": "band",
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
        **fast_compression(),
    }


@functools.cache
def fast_compression() -> dict[str, Any]:
    """What to compress files between with: ZSTD where GDAL has it, else DEFLATE, both at their fastest."""
    try:
        with (
            MemoryFile() as file,
            file.open(driver="GTiff", height=1, width=1, count=1, dtype="uint8", compress="ZSTD"),
        ):
            return {"compress": "ZSTD", "zstd_level": 1}
    except RasterioError:
        return {"compress": "DEFLATE", "zlevel": 1}


def slab_vrt(
    slabs: Slabs, product: Product, grid: Grid, legend: Legend, *, tags: Mapping[str, str], gcps: GroundControl | None
) -> bytes:
    """The XML of a product on ``grid``, for a file in the folder of its slabs."""
    root = vrt_dataset(grid, placed=gcps is None)
    if gcps is not None:
        _add_gcps(root, gcps)
    metadata = SubElement(root, "Metadata")
    # GDAL shifts the transform of files that say "Point" by half a pixel; ours already counts from pixel corners.
    kept = {key: value for key, value in tags.items() if key != "AREA_OR_POINT"}
    for key, value in (kept | {CLASSES_TAG: legend.to_json()} if product.is_mask else kept).items():
        SubElement(metadata, "MDI", key=key).text = value
    for number, name in enumerate(product.bands, start=1):
        band = SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        SubElement(band, "BlockXSize").text = SubElement(band, "BlockYSize").text = str(BLOCK)
        add(band, Description=name, NoDataValue=str(IGNORE_INDEX))
        if product.is_mask:
            _add_colours(band, legend)
        else:
            add(band, Offset="0", Scale=repr(1 / STEPS))
        _add_slabs(band, slabs, product, number)
    return tostring(root)


def _add_gcps(root: Element, gcps: GroundControl) -> None:
    points, crs = gcps
    parent = SubElement(root, "GCPList", {} if crs is None else {"Projection": crs.to_wkt()})
    for number, point in enumerate(points, start=1):
        place = {"Pixel": point.col, "Line": point.row, "X": point.x, "Y": point.y, "Z": point.z or 0}
        SubElement(parent, "GCP", {"Id": str(number)} | {key: repr(float(value)) for key, value in place.items()})


def _add_colours(band: Element, legend: Legend) -> None:
    add(band, ColorInterp="Palette")
    table = SubElement(band, "ColorTable")
    for colour in legend.colour_table().tolist():
        SubElement(table, "Entry", {f"c{place}": str(value) for place, value in enumerate(colour, start=1)})


def _add_slabs(band: Element, slabs: Slabs, product: Product, number: int) -> None:
    for place in slabs.places:
        if not slabs.path(product, place).exists():
            continue
        source = SubElement(band, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="1").text = slabs.path(product, place).name
        add(source, SourceBand=str(number))
        sides = {"xSize": str(place.width), "ySize": str(place.height)}
        block = {"BlockXSize": str(BLOCK), "BlockYSize": str(BLOCK)}
        size = {"RasterXSize": str(place.width), "RasterYSize": str(place.height)}
        SubElement(source, "SourceProperties", {**size, "DataType": "Byte", **block})
        SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **sides})
        SubElement(source, "DstRect", {"xOff": "0", "yOff": str(place.row), **sides})
