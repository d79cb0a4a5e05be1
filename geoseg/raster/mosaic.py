"""Several scenes of one kind as one scene: GDAL reads them through a virtual raster (VRT) that exists in memory only.

Where scenes overlap, the later one lies on top, with its usable pixels; between them nothing is valid. Scenes that are
shifted against each other by parts of a pixel are moved to the nearest pixel, as every mosaic of GDAL's does.

How a VRT keeps what is usable: a pixel of nodata leaves the scene below visible (``NODATA``), so does one that alpha or
mask exclude (``UseMaskBand``); and unless nodata marks the gaps, a band of validity does (``MaskBand``), which is 255
wherever a scene without alpha and mask lies (``ScaleOffset``) and elsewhere what alpha or mask say.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from rasterio.io import MemoryFile

from geoseg.errors import SceneError
from geoseg.grid.grid import Grid, crs_name, map_point
from geoseg.grid.window import Window
from geoseg.raster.metadata import Description
from geoseg.raster.open_raster import gdal_name
from geoseg.raster.scene import Scene, describe_file
from geoseg.raster.vrt import add, vrt_dataset

DRIFT = 0.1
"""So many pixels may scenes grow apart, over their length, by pixel sizes that are not quite the same."""


@dataclass(frozen=True)
class Part:
    """One of the scenes."""

    path: str
    """The file, as given."""
    description: Description
    """What it says of itself."""

    @property
    def is_masked(self) -> bool:
        """True if alpha or mask say which pixels are usable."""
        return self.description.alpha is not None or self.description.has_mask


@contextlib.contextmanager
def open_mosaic(paths: Sequence[str | Path]) -> Iterator[Scene]:
    """One scene made of several, closed at the end; :class:`SceneError` that names the first that does not fit the first.

    They fit if CRS, pixel size, rotation, bands (names and order), pixel type and nodata are the same.
    """
    parts = [Part(os.fspath(path), describe_file(os.fspath(path))) for path in paths]
    if not parts:
        raise SceneError("a mosaic of no scenes has no pixels", "name at least one scene")
    for part in parts:
        _require_fit(part, parts[0])
    name = f"{Path(parts[0].path).stem}_and_{len(parts) - 1}_more.vrt"
    with MemoryFile(mosaic_xml(parts), filename=name) as file, Scene.open(file.name) as scene:
        yield scene


def mosaic_xml(parts: Sequence[Part]) -> bytes:
    """The VRT of parts that fit."""
    first = parts[0].description
    windows = [_window(part.description.grid, first.grid) for part in parts]
    row, col = min(w.row for w in windows), min(w.col for w in windows)
    whole = Window(row, col, max(w.row_stop for w in windows) - row, max(w.col_stop for w in windows) - col)
    placed = [(part, window.relative_to(whole)) for part, window in zip(parts, windows, strict=True)]
    root = vrt_dataset(first.grid.crop(whole))
    for number, name in enumerate(first.bands):
        band = SubElement(root, "VRTRasterBand", dataType=_type_name(first.dtype), band=str(number + 1))
        add(band, Description=name, **({} if first.nodata is None else {"NoDataValue": repr(first.nodata)}))
        for part, window in placed:
            _add_source(band, part, str(part.description.indexes[number]), window, pixels=True)
    if first.nodata is None or any(part.is_masked for part in parts):
        band = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        for part, window in placed:
            _add_source(band, part, "mask,1" if part.is_masked else "1", window, pixels=False)
    return tostring(root)


def _add_source(band: Element, part: Part, number: str, window: Window, *, pixels: bool) -> None:
    """A part's place in a band: of its ``pixels``, or of its validity."""
    description = part.description
    # Simple sources are resampled one by one, which shows at their borders (GDAL 3.10); complex ones all together.
    source = SubElement(band, "ComplexSource")
    add(source, SourceFilename=_source_name(part.path), SourceBand=number)
    source[0].set("shared", "0")  # a handle of its own per thread
    block = {"BlockXSize": str(description.block[1]), "BlockYSize": str(description.block[0])}
    size = {"RasterXSize": str(window.width), "RasterYSize": str(window.height)}
    SubElement(source, "SourceProperties", {**size, "DataType": _type_name(description.dtype), **block})
    sides = {"xSize": str(window.width), "ySize": str(window.height)}
    SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **sides})
    SubElement(source, "DstRect", {"xOff": str(window.col), "yOff": str(window.row), **sides})
    add(source, **_source_options(part, pixels=pixels))


def _source_options(part: Part, *, pixels: bool) -> dict[str, str]:
    """What the head of this file says about validity, for one source."""
    if not pixels:
        return {"NODATA": "0"} if part.is_masked else {"ScaleOffset": "255", "ScaleRatio": "0"}
    if part.is_masked:
        return {"UseMaskBand": "true"}
    return {} if part.description.nodata is None else {"NODATA": repr(part.description.nodata)}


def _source_name(path: str) -> str:
    """The name of a file that is right from anywhere."""
    name = gdal_name(path)
    return name if name.startswith("/vsi") or "://" in name else os.path.abspath(name)  # noqa: PTH100  (no links followed)


def _type_name(dtype: np.dtype[np.generic]) -> str:
    """GDAL's name of a pixel type."""
    name = dtype.name
    return "Byte" if name == "uint8" else f"U{name[1:].capitalize()}" if name.startswith("u") else name.capitalize()


def _window(grid: Grid, first: Grid) -> Window:
    """Where a grid lies, in pixels of the first."""
    col, row = map_point(~first.transform, *grid.corners[0])
    return Window(round(row), round(col), *grid.shape)


def _require_fit(part: Part, first: Part) -> None:
    """:class:`SceneError` that says why a scene does not fit the first one, unless it does."""
    reason = _misfit(part.description, first.description)
    if reason:
        other = "" if part is first else f" with {first.path}"
        raise SceneError(
            f"{part.path} cannot be put into a mosaic{other}: {reason}",
            "warp or translate it first (gdalwarp, gdal_translate), or predict the scenes one by one, without --mosaic",
        )


def _misfit(here: Description, there: Description) -> str:
    """What is different about two scenes; empty if nothing that matters is."""
    mine, its = here.grid, there.grid
    wrongs = {
        "nothing places it on the map": here.gcps is not None or mine.transform.is_identity,
        f"its CRS is {crs_name(mine.crs)}, not {crs_name(its.crs)}": mine.crs != its.crs,
        f"its pixels measure {_size(mine)}, not {_size(its)}, or are turned another way": _drift(mine, its) > DRIFT,
        f"its bands are {', '.join(here.bands)}, not {', '.join(there.bands)}": here.bands != there.bands,
        f"its pixels are {here.dtype.name}, not {there.dtype.name}": here.dtype != there.dtype,
        f"its nodata is {here.nodata}, not {there.nodata}": repr(here.nodata) != repr(there.nodata),
    }
    return next((words for words, is_wrong in wrongs.items() if is_wrong), "")


def _drift(here: Grid, there: Grid) -> float:
    """How many pixels the two grids grow apart over the length of the longer."""
    a, b = here.transform, there.transform
    steps = max(abs(a.a - b.a), abs(a.b - b.b), abs(a.d - b.d), abs(a.e - b.e))
    return steps * max(*here.shape, *there.shape) / min(there.pixel_size)


def _size(grid: Grid) -> str:
    return " x ".join(f"{side:.6g}" for side in grid.pixel_size)
