"""Awkward but legal rasters: random combinations of driver, pixel type, size, CRS, transform, layout and nodata."""

import random
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.rpc import RPC

from .ordinary import random_blocks

SUFFIXES = {
    "GTiff": ".tif", "COG": ".tif", "PNG": ".png", "JPEG": ".jpg", "JP2OpenJPEG": ".jp2", "HFA": ".img", "ENVI": ".img",
    "VRT": ".vrt", "BMP": ".bmp", "GPKG": ".gpkg", "WEBP": ".webp", "SAGA": ".sdat", "KEA": ".kea", "netCDF": ".nc",
}  # fmt: skip
"""Suffix of each driver; drivers that this build of GDAL lacks are skipped."""

DRIVERS = (
    *["GTiff"] * 14, "COG", "COG", "PNG", "PNG", "JPEG", "JP2OpenJPEG", "HFA", "ENVI", "VRT", "VRT", "BMP", "GPKG",
    "WEBP", "SAGA", "netCDF",
)  # fmt: skip
DTYPES = (
    *["uint8"] * 10, "int8", "uint16", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float32",
    "float64", "complex64",
)  # fmt: skip
BANDS = (1, 1, 1, 1, 1, 3, 3, 3, 3, 2, 4, 4, 5, 8)
SIZES = ((96, 96), (97, 131), (1, 1), (1, 200), (200, 1), (5, 7), (16, 16), (300, 260), (129, 511))
"""Height and width."""

CRS = (
    *[25833] * 6, None, None, 4326, 4326, 3857, 3031, 32661, 2263, 32660, 5186, 7415, 4978, "ESRI:102001",
    "+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80", "+proj=geos +h=35785831 +lon_0=0 +ellps=WGS84",
    "+proj=tmerc +lat_0=0 +lon_0=13 +datum=potsdam",
    'LOCAL_CS["site grid",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]',
    'ENGCRS["site",EDATUM["site datum"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]',
)  # fmt: skip

TRANSFORMS = ("north up",) * 8 + (
    "south up", "mirrored", "upside down", "rotated", "sheared", "not square", "none", "far away",
    "ground control points", "rpc",
)  # fmt: skip
LAYOUTS: tuple[dict[str, Any], ...] = (
    {}, {}, {"blockysize": 1}, {"tiled": True, "blockxsize": 16, "blockysize": 16},
    {"tiled": True, "blockxsize": 256, "blockysize": 256},
    {"compress": "deflate", "predictor": 2}, {"compress": "lzw"}, {"compress": "packbits"}, {"compress": "zstd"},
    {"compress": "lerc"},
    {"compress": "jpeg"}, {"compress": "jpeg", "photometric": "ycbcr"}, {"compress": "ccittfax4", "nbits": 1},
    {"compress": "webp"},
    {"interleave": "band"}, {"interleave": "pixel"}, {"bigtiff": "yes"}, {"endianness": "big"}, {"sparse_ok": True},
    {"photometric": "miniswhite"},
    {"photometric": "cmyk"}, {"nbits": 4}, {"nbits": 1}, {"nbits": 12}, {"profile": "baseline", "tfw": "yes"},
    {"copy_src_overviews": True},
)  # fmt: skip
NODATA = (None, None, None, None, 0, 255, 7, -9999, float("nan"), 1e38, "mask", "alpha")
CONTENTS = ("classes", "classes", "noise", "noise", "constant", "full range", "not finite", "stripes of nodata")
EXTRAS = (
    None,
    None,
    None,
    "palette",
    "descriptions",
    "blue first",
    "scale and offset",
    "overviews",
    "strange tags",
    "classes as text",
)


@dataclass(frozen=True)
class RasterSpec:
    """A random combination of properties of a raster."""

    seed: int
    driver: str
    dtype: str
    bands: int
    shape: tuple[int, int]
    crs: Any
    transform: str
    layout: dict[str, Any] = field(hash=False)
    nodata: Any
    content: str
    extra: str | None

    @classmethod
    def draw(cls, seed: int) -> "RasterSpec":
        """Draw the combination of a seed."""
        chance = random.Random(seed)
        pools = (DRIVERS, DTYPES, BANDS, SIZES, CRS, TRANSFORMS, LAYOUTS, NODATA, CONTENTS, EXTRAS)
        return cls(seed, *(chance.choice(pool) for pool in pools))  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """File name."""
        words = f"{self.seed:04}_{self.driver}_{self.dtype}_{self.bands}_{self.content}_{self.transform}"
        return words.replace(" ", "-") + SUFFIXES[self.driver]


def write_rasters(folder: Path, count: int) -> list[str]:
    """Write ``count`` rasters of different seeds, skipping combinations that GDAL refuses; return their names."""
    names: list[str] = []
    seed = 0
    while len(names) < count:
        spec = RasterSpec.draw(seed)
        seed += 1
        assert seed < 30 * count + 100, "GDAL refuses nearly all combinations"
        try:
            with warnings.catch_warnings(), rasterio.Env(CPL_LOG="/dev/null"):
                warnings.simplefilter("ignore")
                _write(spec, folder / spec.name)
        except (
            rasterio.errors.RasterioError,
            rasterio._err.CPLE_BaseError,
            ValueError,
            OSError,
            TypeError,
            OverflowError,
        ):
            for path in folder.glob(f"{spec.seed:04}_*"):
                path.unlink()
            continue
        names.append(spec.name)
    return names


def _write(spec: RasterSpec, path: Path) -> None:
    """Write a raster, by copying a GeoTIFF for drivers that only copy."""
    if spec.driver == "GTiff":
        _write_with(spec, path, "GTiff", spec.layout)
    elif spec.driver == "VRT":
        source = path.with_suffix(".source.tif")
        _write_with(spec, source, "GTiff", spec.layout)
        rasterio.shutil.copy(source, path, driver="VRT")
    else:
        with MemoryFile(ext=".tif") as memory:
            _write_with(spec, memory.name, "GTiff", {})
            rasterio.shutil.copy(memory.name, path, driver=spec.driver)


def _write_with(spec: RasterSpec, path: Path | str, driver: str, layout: dict[str, Any]) -> None:
    height, width = spec.shape
    profile: dict[str, Any] = {
        "driver": driver,
        "height": height,
        "width": width,
        "count": spec.bands,
        "dtype": spec.dtype,
    }
    profile |= {"crs": spec.crs, **layout}
    if not isinstance(spec.nodata, str):
        profile["nodata"] = spec.nodata
    if spec.transform not in {"none", "ground control points", "rpc"}:
        profile["transform"] = _transform(spec)
    with rasterio.open(path, "w", **profile) as file:
        file.write(_values(spec))
        _locate(spec, file)
        _decorate(spec, file)
    if spec.extra == "overviews" and min(height, width) > 64:
        with rasterio.open(path, "r+") as file:
            file.build_overviews([2, 4])


def _transform(spec: RasterSpec) -> Affine:
    """Return the transform of a raster, in units of its CRS."""
    degrees = spec.crs in {4326, 4978}
    x, y, step = (13.4, 52.5, 4e-6) if degrees else (400_000.0, 5_800_000.0, 0.3)
    if spec.crs in {3031, 32661}:
        x = y = 2_000_000.0  # near a pole
    shapes = {
        "north up": Affine(step, 0, x, 0, -step, y),
        "south up": Affine(step, 0, x, 0, step, y),
        "mirrored": Affine(-step, 0, x, 0, -step, y),
        "upside down": Affine(-step, 0, x, 0, step, y),
        "rotated": Affine.translation(x, y) * Affine.rotation(30) * Affine.scale(step, -step),
        "sheared": Affine(step, step / 2, x, 0, -step, y),
        "not square": Affine(step, 0, x, 0, -2 * step, y),
        "far away": Affine(step, 0, 1000 * x, 0, -step, -1000 * y),
    }
    return shapes[spec.transform]


def _values(spec: RasterSpec) -> NDArray[Any]:
    """Return the pixels, axes (band, row, col)."""
    height, width = spec.shape
    generator = np.random.default_rng(spec.seed)
    if spec.content == "classes":
        values: NDArray[Any] = random_blocks(spec.bands, height, width, high=6, seed=spec.seed)
    elif spec.content == "constant":
        values = np.full((spec.bands, height, width), 3)
    elif spec.content == "full range" and "int" in spec.dtype:
        limits = np.iinfo(spec.dtype)
        return generator.integers(limits.min, limits.max, (spec.bands, height, width), dtype=spec.dtype, endpoint=True)
    else:
        values = generator.integers(0, 128 if spec.dtype == "int8" else 256, (spec.bands, height, width))
    if "nbits" in spec.layout:
        values = values % 2 ** min(spec.layout["nbits"], 7)
    values = values.astype(spec.dtype)
    if spec.content == "not finite" and spec.dtype.startswith("float"):
        values[:, ::3, ::2] = np.nan
        values[:, 1::3, ::2] = np.inf
    if spec.content == "stripes of nodata" and isinstance(spec.nodata, int) and spec.nodata >= 0:
        values[:, :, ::4] = spec.nodata
    return values


def _locate(spec: RasterSpec, file: rasterio.io.DatasetWriter) -> None:
    height, width = spec.shape
    if spec.transform == "ground control points":
        corners = [(0, 0), (0, width), (height, 0), (height, width)]
        file.gcps = (
            [GroundControlPoint(row, col, 400_000 + 0.3 * col, 5_800_000 - 0.3 * row) for row, col in corners],
            file.crs or rasterio.crs.CRS(),
        )
    if spec.transform == "rpc":
        file.rpcs = RPC(
            height_off=0, height_scale=500, lat_off=52.5, lat_scale=0.1, line_den_coeff=[1, *[0] * 19],
            line_num_coeff=[0, 0, 1, *[0] * 17], line_off=height / 2, line_scale=height, long_off=13.4, long_scale=0.1,
            samp_den_coeff=[1, *[0] * 19], samp_num_coeff=[0, 1, *[0] * 18], samp_off=width / 2, samp_scale=width,
        )  # fmt: skip


def _decorate(spec: RasterSpec, file: rasterio.io.DatasetWriter) -> None:
    """Add validity, colors and tags."""
    if spec.nodata == "mask":
        file.write_mask(np.random.default_rng(spec.seed).random(spec.shape) > 0.3)
    if spec.nodata == "alpha" and spec.bands in {2, 4}:
        file.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * (spec.bands - 2), ColorInterp.alpha]
    if spec.extra == "palette" and spec.bands == 1:
        file.write_colormap(1, {index: (index * 40, 255 - index * 40, 0, 255) for index in range(6)})
    if spec.extra == "blue first" and spec.bands >= 3:
        file.colorinterp = [
            ColorInterp.blue,
            ColorInterp.green,
            ColorInterp.red,
            *[ColorInterp.undefined] * (spec.bands - 3),
        ]
    if spec.extra == "descriptions":
        for band in range(1, spec.bands + 1):
            file.set_band_description(band, "B04 (rød) " * band)
    if spec.extra == "scale and offset":
        file.scales, file.offsets = [1e-4] * spec.bands, [-0.1] * spec.bands
    if spec.extra == "strange tags":
        file.update_tags(AREA_OR_POINT="Point", TIFFTAG_DATETIME="yesterday", ÜBER="ß" * 300, TIFFTAG_XRESOLUTION="nan")
    if spec.extra == "classes as text":
        file.update_tags(GEOSEG_CLASSES="not JSON")
