"""Build virtual rasters (VRT) from the slabs of an unfinished raster, which GDAL copies to the final file."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from geoseg.grid.grid import Grid
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.raster.metadata import CLASSES_TAG, GroundControl
from geoseg.raster.output_bands import SHARE_STEPS, PredictionOutput
from geoseg.raster.vrt import add_elements, make_vrt_root
from geoseg.raster.writers.partial import BLOCK_SIZE, PartialRasters


def build_partial_vrt(
    partial: PartialRasters,
    output: PredictionOutput,
    grid: Grid,
    legend: Legend,
    *,
    tags: Mapping[str, str],
    gcps: GroundControl | None,
) -> bytes:
    """Build the VRT for one output, which must be saved in the folder that contains the slabs.

    Args:
        partial: The slabs; missing slabs are nodata.
        output: The output to build the VRT for.
        grid: Grid of the raster.
        legend: Colors and names of the classes; written if the output is the mask.
        tags: Dataset tags to write.
        gcps: Ground control points that replace the grid's transform.

    Returns:
        The XML document.
    """
    root = make_vrt_root(grid, georeferenced=gcps is None)
    if gcps is not None:
        _add_gcps(root, gcps)
    metadata = SubElement(root, "Metadata")
    # GDAL shifts the transform by half a pixel if AREA_OR_POINT is "Point", but our transform refers to pixel corners.
    kept = {key: value for key, value in tags.items() if key != "AREA_OR_POINT"}
    for key, value in (kept | {CLASSES_TAG: legend.to_json()} if output.is_mask else kept).items():
        SubElement(metadata, "MDI", key=key).text = value
    for number, name in enumerate(output.bands, start=1):
        band = SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
        SubElement(band, "BlockXSize").text = SubElement(band, "BlockYSize").text = str(BLOCK_SIZE)
        add_elements(band, Description=name, NoDataValue=str(IGNORE_INDEX))
        if output.is_mask:
            _add_colour_table(band, legend)
        else:
            add_elements(band, Offset="0", Scale=repr(1 / SHARE_STEPS))
        _add_sources(band, partial, output, number)
    return tostring(root)


def _add_gcps(root: Element, gcps: GroundControl) -> None:
    points, crs = gcps
    parent = SubElement(root, "GCPList", {} if crs is None else {"Projection": crs.to_wkt()})
    for number, point in enumerate(points, start=1):
        position = {"Pixel": point.col, "Line": point.row, "X": point.x, "Y": point.y, "Z": point.z or 0}
        SubElement(parent, "GCP", {"Id": str(number)} | {key: repr(float(value)) for key, value in position.items()})


def _add_colour_table(band: Element, legend: Legend) -> None:
    add_elements(band, ColorInterp="Palette")
    table = SubElement(band, "ColorTable")
    for colour in legend.colour_table().tolist():
        SubElement(table, "Entry", {f"c{number}": str(value) for number, value in enumerate(colour, start=1)})


def _add_sources(band: Element, partial: PartialRasters, output: PredictionOutput, number: int) -> None:
    for window in partial.slab_windows:
        path = partial.slab_path(output, window)
        if not path.exists():
            continue
        source = SubElement(band, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="1").text = path.name
        add_elements(source, SourceBand=str(number))
        sides = {"xSize": str(window.width), "ySize": str(window.height)}
        block = {"BlockXSize": str(BLOCK_SIZE), "BlockYSize": str(BLOCK_SIZE)}
        size = {"RasterXSize": str(window.width), "RasterYSize": str(window.height)}
        SubElement(source, "SourceProperties", {**size, "DataType": "Byte", **block})
        SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **sides})
        SubElement(source, "DstRect", {"xOff": "0", "yOff": str(window.row), **sides})
