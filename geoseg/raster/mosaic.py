"""Read several compatible scenes as a single scene (a mosaic), using an in-memory virtual raster (VRT).

Where scenes overlap, the valid pixels of the later scene are on top; gaps between scenes are invalid. Scenes that are
offset from each other by a fraction of a pixel are snapped to the nearest pixel, as in all GDAL mosaics.

Validity in the VRT is determined as follows. Where pixels are nodata (``NODATA``) or excluded by an alpha band or a
mask (``UseMaskBand``), the scene below is used. Unless nodata marks the gaps, the VRT has a validity band
(``MaskBand``). Its value is 255 for scenes without an alpha band or a mask (``ScaleOffset``); for other scenes, it is a
copy of the alpha band or the mask. A scene with several bands and a nodata value is wrapped in a VRT with such a mask,
because geoseg considers the nodata values of all bands of a pixel together, but a VRT source refers to a single band.
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
from geoseg.grid.crs import crs_name
from geoseg.grid.grid import Grid, map_point
from geoseg.grid.window import Window
from geoseg.raster.metadata import RasterMetadata, read_metadata
from geoseg.raster.open_raster import gdal_path
from geoseg.raster.scene import Scene
from geoseg.raster.vrt import add_elements, make_vrt_root

VRT_COLOURS = ("red", "green", "blue")
"""Color interpretations that are written to the VRT."""

MAX_DRIFT = 0.1
"""Maximum drift between two scenes over their length, in pixels, caused by slightly different pixel sizes."""


@dataclass(frozen=True)
class MosaicSource:
    """One scene in a mosaic."""

    path: str
    """Path of the file, as specified."""
    metadata: RasterMetadata
    """Metadata of the file."""

    @property
    def is_masked(self) -> bool:
        """True if validity is determined by an alpha band, a mask, or the nodata values of several bands together."""
        return self.metadata.alpha is not None or self.metadata.has_mask or self.needs_mask

    @property
    def needs_mask(self) -> bool:
        """True if a mask must be built from nodata in several bands, because GDAL would overlay the bands separately."""
        masked = self.metadata.alpha is not None or self.metadata.has_mask
        return not masked and len(self.metadata.bands) > 1 and any(v is not None for v in self.metadata.band_nodata)


@contextlib.contextmanager
def open_mosaic(paths: Sequence[str | Path]) -> Iterator[Scene]:
    """Open several raster files as one scene, which is closed when the context exits.

    Args:
        paths: Files with the same CRS, pixel size, rotation, bands (names and order), pixel type and nodata value.

    Raises:
        SceneError: If a file cannot be read, or its properties differ from those of the first file.
    """
    sources = [MosaicSource(os.fspath(path), read_metadata(os.fspath(path))) for path in paths]
    if not sources:
        raise SceneError("a mosaic requires at least one scene, got none", "specify at least one scene")
    for source in sources:
        _require_compatible(source, sources[0])
    name = f"{Path(sources[0].path).stem}_and_{len(sources) - 1}_more.vrt"
    with MemoryFile(build_mosaic_vrt(sources), filename=name) as file, Scene.open(file.name) as scene:
        yield scene


def build_mosaic_vrt(sources: Sequence[MosaicSource]) -> bytes:
    """Build the VRT for compatible sources."""
    first = sources[0].metadata
    windows = [_window(source.metadata.grid, first.grid) for source in sources]
    row, col = min(w.row for w in windows), min(w.col for w in windows)
    full = Window(row, col, max(w.row_stop for w in windows) - row, max(w.col_stop for w in windows) - col)
    placements = [(source, window.relative_to(full)) for source, window in zip(sources, windows, strict=True)]
    root = make_vrt_root(first.grid.crop(full))
    for number, name in enumerate(first.bands):
        band = SubElement(root, "VRTRasterBand", dataType=_type_name(first.dtype), band=str(number + 1))
        add_elements(band, Description=name, **_band_tags(first, number))
        for source, window in placements:
            _add_source(band, source, window, number)
    if first.band_nodata == (None,) * len(first.bands) or any(source.is_masked for source in sources):
        band = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        for source, window in placements:
            _add_source(band, source, window)
    return tostring(root)


def _band_tags(metadata: RasterMetadata, number: int) -> dict[str, str]:
    """Return the nodata value and color interpretation of a band."""
    nodata, colour = metadata.band_nodata[number], metadata.band_names.colours[number]
    tags = {} if nodata is None else {"NoDataValue": repr(nodata)}
    return {**tags, "ColorInterp": colour.capitalize()} if colour in VRT_COLOURS else tags


def _add_source(band: Element, source: MosaicSource, window: Window, position: int | None = None) -> None:
    """Add a source to the image band at a position, or to the validity band if the position is None."""
    metadata = source.metadata
    validity = "mask,1" if source.is_masked else "1"
    number = validity if position is None else str(position + 1 if source.needs_mask else metadata.indexes[position])
    # GDAL 3.10 resamples simple sources separately, which leaves visible seams; complex sources avoid this problem.
    element = SubElement(band, "ComplexSource")
    name = _mask_nodata(source) if source.needs_mask else _source_name(source.path)
    add_elements(element, SourceFilename=name, SourceBand=number)
    element[0].set("shared", "0")  # one handle per thread
    block = {"BlockXSize": str(metadata.block_shape[1]), "BlockYSize": str(metadata.block_shape[0])}
    size = {"RasterXSize": str(window.width), "RasterYSize": str(window.height)}
    SubElement(element, "SourceProperties", {**size, "DataType": _type_name(metadata.dtype), **block})
    sides = {"xSize": str(window.width), "ySize": str(window.height)}
    SubElement(element, "SrcRect", {"xOff": "0", "yOff": "0", **sides})
    SubElement(element, "DstRect", {"xOff": str(window.col), "yOff": str(window.row), **sides})
    add_elements(element, **_source_options(source, position))


def _mask_nodata(source: MosaicSource) -> str:
    """Return the XML of a VRT that adds a mask to a scene: 0 where all bands with a nodata value have that value."""
    metadata = source.metadata
    root = make_vrt_root(metadata.grid, georeferenced=False)
    names = {"SourceFilename": _source_name(source.path)}
    for number, index in enumerate(metadata.indexes, start=1):
        band = SubElement(root, "VRTRasterBand", dataType=_type_name(metadata.dtype), band=str(number))
        add_elements(SubElement(band, "SimpleSource"), **names, SourceBand=str(index))
    mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
    for index, nodata in zip(metadata.indexes, metadata.band_nodata, strict=True):
        if nodata is not None:
            marked = {"ScaleOffset": "255", "ScaleRatio": "0", "NODATA": repr(nodata)}
            add_elements(SubElement(mask, "ComplexSource"), **names, SourceBand=str(index), **marked)
    for name in root.iter("SourceFilename"):
        name.set("shared", "0")
    return tostring(root, encoding="unicode")


def _source_options(source: MosaicSource, position: int | None) -> dict[str, str]:
    # See the docstring of this module.
    if position is None:
        return {"NODATA": "0"} if source.is_masked else {"ScaleOffset": "255", "ScaleRatio": "0"}
    if source.is_masked:
        return {"UseMaskBand": "true"}
    nodata = source.metadata.band_nodata[position]
    return {} if nodata is None else {"NODATA": repr(nodata)}


def _source_name(path: str) -> str:
    # The path is absolute, because GDAL resolves relative paths against the folder that contains the VRT.
    name = gdal_path(path)
    return name if name.startswith("/vsi") or "://" in name else os.path.abspath(name)  # noqa: PTH100  (does not follow links)


def _type_name(dtype: np.dtype[np.generic]) -> str:
    """Return GDAL's name for a pixel type."""
    name = dtype.name
    return "Byte" if name == "uint8" else f"U{name[1:].capitalize()}" if name.startswith("u") else name.capitalize()


def _window(grid: Grid, first: Grid) -> Window:
    """Return the window that a grid covers, in the pixel coordinates of the first grid."""
    col, row = map_point(~first.transform, *grid.corners[0])
    return Window(round(row), round(col), *grid.shape)


def _require_compatible(source: MosaicSource, first: MosaicSource) -> None:
    """Raise :class:`SceneError` if a source cannot be combined with the first one in a mosaic."""
    reason = _find_difference(source.metadata, first.metadata)
    if reason:
        other = "" if source is first else f" with {first.path}"
        raise SceneError(
            f"{source.path} cannot be put into a mosaic{other}: {reason}",
            "warp or translate it first (gdalwarp, gdal_translate), or predict the scenes one by one, without --mosaic",
        )


def _find_difference(scene: RasterMetadata, first: RasterMetadata) -> str:
    """Describe the first difference between two scenes; return an empty string if there is none."""
    grid, first_grid = scene.grid, first.grid
    problems = {
        "it is not georeferenced": scene.gcps is not None or grid.transform.is_identity,
        f"its CRS is {crs_name(grid.crs)}, not {crs_name(first_grid.crs)}": grid.crs != first_grid.crs,
        f"its pixel size is {_size(grid)}, not {_size(first_grid)}, or its rotation differs": (
            _drift(grid, first_grid) > MAX_DRIFT
        ),
        f"its bands are {', '.join(scene.bands)}, not {', '.join(first.bands)}": scene.bands != first.bands,
        f"its bands are {', '.join(map(str, scene.band_names.colours))} by color interpretation, not "
        f"{', '.join(map(str, first.band_names.colours))}": _contradicts(scene, first),
        f"its pixel type is {scene.dtype.name}, not {first.dtype.name}": scene.dtype != first.dtype,
        f"its nodata value is {_nodata(scene)}, not {_nodata(first)}": _nodata(scene) != _nodata(first),
    }
    return next((text for text, is_different in problems.items() if is_different), "")


def _nodata(metadata: RasterMetadata) -> str:
    """Return the nodata value as text, or the distinct nodata values if the bands differ."""
    return ", ".join(dict.fromkeys(map(repr, metadata.band_nodata)))


def _contradicts(scene: RasterMetadata, first: RasterMetadata) -> bool:
    """Return True if the scenes declare different color interpretations for a band."""
    pairs = zip(scene.band_names.colours, first.band_names.colours, strict=False)
    return any(a and b and a != b for a, b in pairs)


def _drift(grid: Grid, first: Grid) -> float:
    """Return the drift between two grids in pixels, over the length of the longer one."""
    a, b = grid.transform, first.transform
    steps = max(abs(a.a - b.a), abs(a.b - b.b), abs(a.d - b.d), abs(a.e - b.e))
    return steps * max(*grid.shape, *first.shape) / min(first.pixel_size)


def _size(grid: Grid) -> str:
    return " x ".join(f"{side:.6g}" for side in grid.pixel_size)
