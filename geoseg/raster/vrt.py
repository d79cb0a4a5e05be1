"""Pieces of GDAL's virtual rasters (VRT): XML that says of which files a raster is put together."""

from xml.etree.ElementTree import Element, SubElement

from geoseg.grid.grid import Grid


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
