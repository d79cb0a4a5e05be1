"""Pieces of GDAL's virtual rasters (VRT): XML that says of which files a raster is put together."""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement

import rasterio.shutil

from geoseg._files import output_errors
from geoseg.grid.grid import Grid
from geoseg.raster.open_raster import open_raster, quiet_gdal

IN_MEMORY = "/vsimem/"
"""How GDAL's names of files in memory begin."""


def vrt_dataset(grid: Grid, *, placed: bool = True) -> Element:
    """The root of a VRT that lies on ``grid``, or only has its shape, if it is not ``placed`` by it."""
    root = Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    t = grid.transform
    if placed and grid.crs is not None:
        add(root, SRS=grid.crs.to_wkt())
    if placed and not t.is_identity:  # GDAL's word for "no transform"
        add(root, GeoTransform=", ".join(map(repr, map(float, (t.c, t.a, t.b, t.f, t.d, t.e)))))
    return root


def add(parent: Element, **texts: str) -> None:
    """A child for each keyword, with its text."""
    for tag, text in texts.items():
        SubElement(parent, tag).text = text


def files_of(path: str) -> list[str]:
    """The files that a virtual raster is put together from, itself included if it is not in memory; of others, the path."""
    if Path(path).suffix.lower() != ".vrt":
        return [path]
    with open_raster(path) as dataset:
        return [file for file in dataset.files if not file.startswith(IN_MEMORY)]


def copy_vrt(source: str, target: Path) -> str:
    """A virtual raster that is in memory, as a file that other processes can open; :class:`OutputError` if it cannot be."""
    with output_errors(target), quiet_gdal():
        rasterio.shutil.copy(source, target, driver="VRT")
    return str(target)
