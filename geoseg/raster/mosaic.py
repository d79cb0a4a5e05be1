"""Mosaics: several compatible scenes read as a single scene, through an in-memory virtual raster (VRT).

Where scenes overlap, the valid pixels of the later scene are on top; gaps between scenes are invalid. Scenes that are
offset from each other by a fraction of a pixel are snapped to the nearest pixel, as in all GDAL mosaics.

Validity in the VRT: nodata pixels (``NODATA``) and pixels excluded by an alpha band or a mask (``UseMaskBand``) reveal
the scene below. Unless nodata marks the gaps, the VRT has a validity band (``MaskBand``). It is 255 for scenes without
an alpha band or mask (``ScaleOffset``), and a copy of the alpha band or mask for the others.
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
from geoseg.raster.metadata import RasterMetadata, read_metadata
from geoseg.raster.open_raster import gdal_path
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import add_elements, make_vrt_root

MAX_DRIFT = 0.1
"""Pixels by which two scenes may drift apart over their length because their pixel sizes are not exactly equal."""


@dataclass(frozen=True)
class MosaicSource:
    """One scene of a mosaic."""

    path: str
    """The file, as given."""
    metadata: RasterMetadata
    """Its properties."""

    @property
    def is_masked(self) -> bool:
        """True if an alpha band or a mask marks the valid pixels."""
        return self.metadata.alpha is not None or self.metadata.has_mask


@contextlib.contextmanager
def open_mosaic(paths: Sequence[str | Path]) -> Iterator[Scene]:
    """Open several raster files as one scene, which is closed at the end of the block.

    Args:
        paths: Files with the same CRS, pixel size, rotation, bands (names and order), pixel type and nodata value.

    Raises:
        SceneError: A file cannot be read, or differs from the first one.
    """
    sources = [MosaicSource(os.fspath(path), read_metadata(os.fspath(path))) for path in paths]
    if not sources:
        raise SceneError("a mosaic needs scenes, got none", "name at least one scene")
    for source in sources:
        _require_compatible(source, sources[0])
    name = f"{Path(sources[0].path).stem}_and_{len(sources) - 1}_more.vrt"
    with MemoryFile(build_mosaic_vrt(sources), filename=name) as file, Scene.open(file.name) as scene:
        yield scene


def build_mosaic_vrt(sources: Sequence[MosaicSource]) -> bytes:
    """Build the VRT of sources with the same properties."""
    first = sources[0].metadata
    windows = [_window(source.metadata.grid, first.grid) for source in sources]
    row, col = min(w.row for w in windows), min(w.col for w in windows)
    full = Window(row, col, max(w.row_stop for w in windows) - row, max(w.col_stop for w in windows) - col)
    placements = [(source, window.relative_to(full)) for source, window in zip(sources, windows, strict=True)]
    root = make_vrt_root(first.grid.crop(full))
    for number, name in enumerate(first.bands):
        band = SubElement(root, "VRTRasterBand", dataType=_type_name(first.dtype), band=str(number + 1))
        add_elements(band, Description=name, **({} if first.nodata is None else {"NoDataValue": repr(first.nodata)}))
        for source, window in placements:
            _add_source(band, source, str(source.metadata.indexes[number]), window, pixels=True)
    if first.nodata is None or any(source.is_masked for source in sources):
        band = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        for source, window in placements:
            _add_source(band, source, "mask,1" if source.is_masked else "1", window, pixels=False)
    return tostring(root)


def _add_source(band: Element, source: MosaicSource, number: str, window: Window, *, pixels: bool) -> None:
    """Add a source to a band of pixels, or to the validity band."""
    metadata = source.metadata
    # Simple sources are resampled one by one, which is visible at their borders (GDAL 3.10); complex ones are not.
    element = SubElement(band, "ComplexSource")
    add_elements(element, SourceFilename=_source_name(source.path), SourceBand=number)
    element[0].set("shared", "0")  # one handle per thread
    block = {"BlockXSize": str(metadata.block_shape[1]), "BlockYSize": str(metadata.block_shape[0])}
    size = {"RasterXSize": str(window.width), "RasterYSize": str(window.height)}
    SubElement(element, "SourceProperties", {**size, "DataType": _type_name(metadata.dtype), **block})
    sides = {"xSize": str(window.width), "ySize": str(window.height)}
    SubElement(element, "SrcRect", {"xOff": "0", "yOff": "0", **sides})
    SubElement(element, "DstRect", {"xOff": str(window.col), "yOff": str(window.row), **sides})
    add_elements(element, **_source_options(source, pixels=pixels))


def _source_options(source: MosaicSource, *, pixels: bool) -> dict[str, str]:
    # See the docstring of this module.
    if not pixels:
        return {"NODATA": "0"} if source.is_masked else {"ScaleOffset": "255", "ScaleRatio": "0"}
    if source.is_masked:
        return {"UseMaskBand": "true"}
    return {} if source.metadata.nodata is None else {"NODATA": repr(source.metadata.nodata)}


def _source_name(path: str) -> str:
    # Absolute, because GDAL takes relative names from the folder of the VRT.
    name = gdal_path(path)
    return name if name.startswith("/vsi") or "://" in name else os.path.abspath(name)  # noqa: PTH100  (no links followed)


def _type_name(dtype: np.dtype[np.generic]) -> str:
    """Return GDAL's name of a pixel type."""
    name = dtype.name
    return "Byte" if name == "uint8" else f"U{name[1:].capitalize()}" if name.startswith("u") else name.capitalize()


def _window(grid: Grid, first: Grid) -> Window:
    """Return the window of a grid in pixels of the first grid."""
    col, row = map_point(~first.transform, *grid.corners[0])
    return Window(round(row), round(col), *grid.shape)


def _require_compatible(source: MosaicSource, first: MosaicSource) -> None:
    """Raise :class:`SceneError` if a source cannot be part of a mosaic with the first one."""
    reason = _find_difference(source.metadata, first.metadata)
    if reason:
        other = "" if source is first else f" with {first.path}"
        raise SceneError(
            f"{source.path} cannot be put into a mosaic{other}: {reason}",
            "warp or translate it first (gdalwarp, gdal_translate), or predict the scenes one by one, without --mosaic",
        )


def _find_difference(scene: RasterMetadata, first: RasterMetadata) -> str:
    """Describe the first difference between two scenes; empty if there is none."""
    grid, first_grid = scene.grid, first.grid
    problems = {
        "it is not georeferenced": scene.gcps is not None or grid.transform.is_identity,
        f"its CRS is {crs_name(grid.crs)}, not {crs_name(first_grid.crs)}": grid.crs != first_grid.crs,
        f"its pixel size is {_size(grid)}, not {_size(first_grid)}, or its rotation differs": (
            _drift(grid, first_grid) > MAX_DRIFT
        ),
        f"its bands are {', '.join(scene.bands)}, not {', '.join(first.bands)}": scene.bands != first.bands,
        f"its pixel type is {scene.dtype.name}, not {first.dtype.name}": scene.dtype != first.dtype,
        f"its nodata value is {scene.nodata}, not {first.nodata}": repr(scene.nodata) != repr(first.nodata),
    }
    return next((text for text, is_different in problems.items() if is_different), "")


def _drift(grid: Grid, first: Grid) -> float:
    """Return how many pixels two grids drift apart over the length of the longer one."""
    a, b = grid.transform, first.transform
    steps = max(abs(a.a - b.a), abs(a.b - b.b), abs(a.d - b.d), abs(a.e - b.e))
    return steps * max(*grid.shape, *first.shape) / min(first.pixel_size)


def _size(grid: Grid) -> str:
    return " x ".join(f"{side:.6g}" for side in grid.pixel_size)
