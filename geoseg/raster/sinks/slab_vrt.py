"""Slabs as one raster: a GDAL virtual raster with all that the final file says of itself.

Colours, names, tags, scale and ground control points stand in its XML, and GDAL's copying carries them into the final
file. Slabs that are missing are nodata.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.description import CLASSES_TAG, GroundControl
from geoseg.raster.product import STEPS, Product
from geoseg.raster.slabs import BLOCK, Slabs
from geoseg.raster.vrt import add, vrt_dataset


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
