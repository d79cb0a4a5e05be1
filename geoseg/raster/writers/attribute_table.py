"""Write the raster attribute table of a mask, which GIS software displays: name, color and pixel count of each class.

rasterio cannot write such tables, so the table is written to GDAL's sidecar file ``<raster>.aux.xml`` (PAM). GDAL copies
this file together with the raster.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import Legend

INTEGER, REAL, STRING = 0, 1, 2
"""Values of GDALRATFieldType."""

COLUMNS = (
    ("VALUE", INTEGER, 5),  # GFU_MinMax: the pixel value
    ("CLASS", STRING, 2),  # GFU_Name
    ("RED", INTEGER, 6),
    ("GREEN", INTEGER, 7),
    ("BLUE", INTEGER, 8),
    ("COUNT", REAL, 1),  # GFU_PixelCount; not an integer, because GDAL limits integers to 2,147,483,647
)
"""Name, type and GDALRATFieldUsage of each column."""


def pam_path(raster: Path) -> Path:
    """Return the sidecar file in which GDAL stores metadata that the raster format does not support."""
    return raster.with_name(f"{raster.name}.aux.xml")


def write_attribute_table(raster: Path, legend: Legend, counts: NDArray[np.int64]) -> None:
    """Add an attribute table to the sidecar file of a mask.

    Args:
        raster: The mask.
        legend: The classes of the mask.
        counts: Number of pixels with each value, shape (256,).
    """
    band = Element("PAMRasterBand", band="1")
    band.append(make_attribute_table(legend, counts))
    path = pam_path(raster)
    # GDAL may already have written to the file, for example a CRS that GeoTIFF cannot represent.
    content = path.read_text("utf-8") if path.exists() else "<PAMDataset></PAMDataset>"
    path.write_text(content.replace("</PAMDataset>", f"{tostring(band, 'unicode')}</PAMDataset>"), "utf-8")


def make_attribute_table(legend: Legend, counts: NDArray[np.int64]) -> Element:
    """Create the XML element for an attribute table; for the arguments, see :func:`write_attribute_table`."""
    table = Element("GDALRasterAttributeTable", tableType="thematic")
    for index, (name, kind, usage) in enumerate(COLUMNS):
        column = SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", name), ("Type", kind), ("Usage", usage)):
            SubElement(column, tag).text = str(text)
    for entry in legend.entries:
        row = SubElement(table, "Row", index=str(entry.index))
        for value in (entry.index, entry.name, *entry.colour, int(counts[entry.index])):
            SubElement(row, "F").text = str(value)
    return table
