"""GDAL virtual rasters (VRT): XML documents that refer to the pixels in other files."""

import html
import re
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import rasterio.shutil

from geoseg._output_files import VRT_SUFFIX, output_errors
from geoseg.grid.grid import Grid
from geoseg.raster.open_raster import open_raster, quiet_gdal

INLINE = "<VRTDataset"
"""First characters of a virtual raster that is passed as XML text instead of a file name."""

SOURCE = re.compile(r"<SourceFilename[^>]*>([^<]*)<")
"""Pattern for the file name of a source in a virtual raster."""

IN_MEMORY = "/vsimem/"
"""Prefix of GDAL's in-memory files."""


def make_vrt_root(grid: Grid, *, georeferenced: bool = True) -> Element:
    """Create the root element of a VRT.

    Args:
        grid: Size, CRS and transform of the raster.
        georeferenced: False to write only the size.
    """
    root = Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    t = grid.transform
    if georeferenced and grid.crs is not None:
        add_elements(root, SRS=grid.crs.to_wkt())
    if georeferenced and not t.is_identity:  # GDAL interprets the identity as "no transform"
        add_elements(root, GeoTransform=", ".join(map(repr, map(float, (t.c, t.a, t.b, t.f, t.d, t.e)))))
    return root


def add_elements(parent: Element, **texts: str) -> None:
    """Add a child element with text for each keyword argument."""
    for tag, text in texts.items():
        SubElement(parent, tag).text = text


def list_vrt_files(path: str) -> list[str]:
    """List the files that make up a virtual raster, including the VRT file itself unless it is in memory.

    For any other raster, the list contains only the path.
    """
    if Path(path).suffix.lower() != VRT_SUFFIX:
        return [path]
    with open_raster(path) as dataset:
        return [name for file in dataset.files for name in _expand_inline(file) if not name.startswith(IN_MEMORY)]


def _expand_inline(name: str) -> list[str]:
    """Return the sources of a virtual raster that is passed as XML text; for a file, return only its name."""
    if not name.startswith(INLINE):
        return [name]
    return [html.unescape(source) for source in dict.fromkeys(SOURCE.findall(name))]


def write_vrt(source: str, target: Path) -> str:
    """Write an in-memory virtual raster to a file, so that other processes can open it.

    Args:
        source: GDAL name of the virtual raster.
        target: The file to write.

    Returns:
        ``target`` as text.

    Raises:
        OutputError: If the file cannot be written.
    """
    with output_errors(target), quiet_gdal():
        rasterio.shutil.copy(source, target, driver="VRT")
    return str(target)
