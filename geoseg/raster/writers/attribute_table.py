"""The raster attribute table of a mask: a row per class with name, colour and pixel count, as GIS programs show it.

rasterio has no way to write one, so the table is written where GDAL keeps what a format cannot hold: the side file
``<raster>.aux.xml`` (GDAL's "PAM"). GDAL's copying then carries it along.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import Legend

INTEGER, REAL, STRING = 0, 1, 2
"""GDAL's GDALRATFieldType."""

COLUMNS = (
    ("VALUE", INTEGER, 5),  # GFU_MinMax: the pixel value
    ("CLASS", STRING, 2),  # GFU_Name
    ("RED", INTEGER, 6),
    ("GREEN", INTEGER, 7),
    ("BLUE", INTEGER, 8),
    ("COUNT", REAL, 1),  # GFU_PixelCount; GDAL's integers end at 2 147 483 647, and scenes do not
)
"""Name, type and GDALRATFieldUsage of each column."""


def side_path(raster: Path) -> Path:
    """Where GDAL looks for what belongs to a raster but is not inside it."""
    return raster.with_name(f"{raster.name}.aux.xml")


def write_attribute_table(raster: Path, legend: Legend, counts: NDArray[np.int64]) -> None:
    """Add the table of ``legend`` to the raster's side file; ``counts`` are pixels by value, shape (256,)."""
    band = Element("PAMRasterBand", band="1")
    band.append(attribute_table(legend, counts))
    path = side_path(raster)
    # GDAL may have put something there itself, such as a CRS that GeoTIFF cannot express.
    before = path.read_text("utf-8") if path.exists() else "<PAMDataset></PAMDataset>"
    path.write_text(before.replace("</PAMDataset>", f"{tostring(band, 'unicode')}</PAMDataset>"), "utf-8")


def attribute_table(legend: Legend, counts: NDArray[np.int64]) -> Element:
    """The table as GDAL writes it into XML."""
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
