"""Rasters with absurd transforms, hostile tags, invalid CRS, and headers that declare terabytes."""

import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine

from torture.ordinary import write_mask, write_scene

from .bundles import STRANGE_NAMES
from .cases import Case, Place, evaluate, info, polygonize, predict

NAN, INFINITY = float("nan"), float("inf")
WEST, NORTH = 400_000, 5_800_000

TRANSFORMS = {
    "NaN": Affine(NAN, 0, 0, 0, -1, 0),
    "infinite": Affine(INFINITY, 0, 0, 0, -1, 0),
    "tiny pixels": Affine(1e-300, 0, 0, 0, -1e-300, 0),
    "huge pixels": Affine(1e300, 0, 0, 0, -1e300, 0),
    "far away": Affine(0.3, 0, 1e18, 0, -0.3, 1e18),
    "singular": Affine(0.3, 0.3, 0, 0.3, 0.3, 0),
    "nearly singular": Affine(0.3, 0.3, 0, 0.3, 0.3 + 1e-17, 0),
    "zero": Affine(0, 0, 0, 0, 0, 0),
    "degrees beyond the poles": Affine(3e-6, 0, 500, 0, -3e-6, 900),
}

CLASS_TAGS = {
    "open list": "[",
    "object": "{}",
    "name is a number": '[{"index":0,"name":5,"colour":"#000000"}]',
    "name is null": '[{"index":0,"name":null,"colour":"#000000"}]',
    "name is a lone surrogate": '[{"index":0,"name":"\\ud800","colour":"#010000"}]',
    "color is a list": '[{"index":0,"name":"a","colour":[1e9,0,0]}]',
    "infinite index": '[{"index":1e400,"name":"a","colour":"#000"}]',
    "negative index": '[{"index":-1,"name":"a","colour":"#000000"}]',
    "nested": "[" * 100_000,
    "nested and closed": "[" * 100_000 + "]" * 100_000,
    "equal names": '[{"index":0,"name":"a","colour":"#000000"},{"index":1,"name":"a","colour":"#000001"}]',
    "strange names": json.dumps(
        [{"index": number, "name": name, "colour": f"#{number:06x}"} for number, name in enumerate(STRANGE_NAMES)]
    ).replace("\\u0000", ""),
}
"""Texts in the tag of a mask that names its classes."""

COORDINATE_SYSTEMS = {
    "site grid": 'LOCAL_CS["site",UNIT["metre",1]]',
    "unknown projection": 'PROJCS["x",GEOGCS["x",DATUM["x",SPHEROID["x",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["No_Such_Projection"],UNIT["metre",1]]',
    "flat ellipsoid": 'GEOGCS["x",DATUM["x",SPHEROID["x",0,0]],PRIMEM["Greenwich",0],UNIT["degree",0]]',
    "unit of zero": 'LOCAL_CS["site",UNIT["nothing",0]]',
    "geocentric": "EPSG:4978",
    "vertical": "EPSG:5773",
}  # fmt: skip


def write_cases(place: Place) -> Iterator[Case]:
    """Write rasters and yield their calls."""
    for label, transform in TRANSFORMS.items():
        crs = "EPSG:4326" if "degrees" in label else "EPSG:25833"
        yield from _raster_calls(place, f"transform {label}", transform=transform, crs=crs)
    for label, crs in COORDINATE_SYSTEMS.items():
        yield from _raster_calls(place, f"CRS {label}", crs=crs)
    for label, text in CLASS_TAGS.items():
        yield from _class_tag_calls(place, label, text)
    yield from _declared_sizes(place)


def _raster_calls(place: Place, label: str, **profile: Any) -> Iterator[Case]:
    name = re.sub(r"\W+", "_", label)
    try:
        scene = write_scene(place.folder / f"scene_{name}.tif", **profile)
        mask = write_mask(place.folder / f"mask_{name}.tif", **profile)
    except (rasterio.errors.RasterioError, ValueError, RuntimeError):
        return  # GDAL cannot write it
    yield info(label, scene)
    yield predict(label, scene, place.model)
    yield predict(f"{label} --gsd", scene, place.model, "--gsd", "0.3")
    yield polygonize(label, mask)
    yield polygonize(f"{label} as GeoJSON", mask, output="out.geojson")
    yield polygonize(f"{label} --crs", mask, "--crs", "EPSG:4326", "--simplify", "1", "--min-area", "1")
    yield evaluate(f"{label} against an ordinary mask", mask, place.mask)
    yield predict(f"{label} --bbox-crs", scene, place.model, "--bbox", "13,52,14,53", "--bbox-crs", "EPSG:4326")


def _class_tag_calls(place: Place, label: str, text: str) -> Iterator[Case]:
    path = place.folder / f"classes_{label.replace(' ', '_')}.tif"
    write_mask(path, nodata=255)
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=text)
    yield info(f"classes: {label}", path)
    yield evaluate(f"classes: {label}", path, place.mask)
    suffixes = ("gpkg", "geojson", "fgb", "shp", "parquet") if label == "strange names" else ("gpkg",)
    for suffix in suffixes:
        yield polygonize(f"classes: {label}, {suffix}", path, output=f"out.{suffix}")
        if label == "strange names":
            yield polygonize(f"classes: {label}, {suffix} per class", path, "--per-class", output=f"per_class.{suffix}")


def _declared_sizes(place: Place) -> Iterator[Case]:
    """Write small files whose headers declare huge images."""
    size = 200_000
    (png := place.folder / "huge.png").write_bytes(huge_png(size, size))
    sparse = place.folder / "sparse.tif"
    write_raster_without_pixels(sparse, height=2**31 - 1, width=2**20)
    files = [png, sparse, *_tiffs_with_huge_blocks(place.folder)]
    for path in files:
        yield info(f"declared size {path.name}", path)
        yield predict(f"declared size {path.name}", path, place.model, "--gsd", "0.3", "--bands", "1,1,1")
        yield polygonize(f"declared size {path.name}", path)


def write_raster_without_pixels(path: Path, height: int, width: int) -> None:
    """Write a sparse GeoTIFF."""
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "sparse_ok": True, "bigtiff": "yes", "tiled": True}
    with rasterio.open(path, "w", height=height, width=width, blockxsize=65_536, blockysize=65_536, **profile):
        pass


def _tiffs_with_huge_blocks(folder: Path) -> Iterator[Path]:
    """Write TIFF files with one strip of 2 GB, of which a few bytes exist."""
    for label, width, height in (("row", 2**31 - 1, 1), ("column", 1, 2**31 - 1), ("square", 46_340, 46_340)):
        path = folder / f"block_{label}.tif"
        path.write_bytes(_tiff(width, height, rows_per_strip=height))
        yield path


def _tiff(width: int, height: int, *, rows_per_strip: int) -> bytes:
    """Return a TIFF file of one deflated strip that holds less than it declares."""
    strip = zlib.compress(bytes(1000))
    start = 8
    tags = {
        256: (4, width), 257: (4, height), 258: (3, 8), 259: (3, 8), 262: (3, 1), 273: (4, start), 277: (3, 1),
        278: (4, rows_per_strip), 279: (4, len(strip)),
    }  # fmt: skip
    directory = struct.pack("<H", len(tags))
    for tag, (kind, value) in tags.items():
        directory += struct.pack("<HHI", tag, kind, 1) + (
            struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value)
        )
    return b"II*\x00" + struct.pack("<I", start + len(strip)) + strip + directory + struct.pack("<I", 0)


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG file that declares a size and holds 1000 bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
