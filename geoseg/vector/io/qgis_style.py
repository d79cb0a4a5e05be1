"""A legend as a QGIS style: each class in its colour, with its name in the layer tree.

QGIS opens a GeoPackage layer in the style that the table ``layer_styles`` names as its default.
"""

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pyogrio

from geoseg.errors import GeosegError
from geoseg.legend import Colour, Legend

TABLE = "layer_styles"
"""Where QGIS looks for styles in a GeoPackage."""

OUTLINE_DARKER = 0.6
"""How much of a class's colour is left in the outline of its polygons."""


def qml(legend: Legend, *, column: str = "class_name") -> str:
    """A QGIS layer style (QML text) that draws polygons by the class name in ``column``."""
    root = ET.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=column, symbollevels="0")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for entry in legend.entries:
        name = str(entry.index)
        ET.SubElement(
            categories, "category", value=entry.name, label=entry.name, symbol=name, render="true", type="string"
        )
        _add_symbol(symbols, name, entry.colour)
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode")


def read_legend(path: str | Path) -> Legend | None:
    """The classes and colours of the style that :func:`style_table` put into a GeoPackage; None if there is none."""
    if Path(path).suffix.lower() != ".gpkg" or TABLE not in {str(name) for name, _ in pyogrio.list_layers(path)}:
        return None
    try:
        root = ET.fromstring(pyogrio.read_dataframe(path, layer=TABLE)["styleQML"].iloc[0])  # noqa: S314
        colours = {str(symbol.get("name")): _colour(symbol) for symbol in root.iterfind("renderer-v2/symbols/symbol")}
        found = root.iterfind("renderer-v2/categories/category")
        return Legend.of({str(category.get("value")): colours[str(category.get("symbol"))] for category in found})
    except (ET.ParseError, KeyError, IndexError, StopIteration, ValueError, GeosegError):  # a style of other making
        return None


def _colour(symbol: ET.Element) -> list[int]:
    options = symbol.iterfind("layer/Option/Option")
    return [int(part) for part in next(str(o.get("value")) for o in options if o.get("name") == "color").split(",")[:3]]


def style_table(legend: Legend, *, layer: str, geometry_column: str = "geom") -> pd.DataFrame:
    """The one row of ``layer_styles`` that makes :func:`qml` the default style of ``layer``."""
    row = {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": layer,
        "f_geometry_column": geometry_column,
        "styleName": "classes",
        "styleQML": qml(legend),
        "styleSLD": "",
        "useAsDefault": True,
        "description": "classes in the colours of the legend",
        "owner": "",
        "ui": "",
        "update_time": pd.Timestamp(datetime.now(UTC)),
    }
    return pd.DataFrame([row])


def _add_symbol(symbols: ET.Element, name: str, colour: Colour) -> None:
    darker = tuple(int(part * OUTLINE_DARKER) for part in colour)
    options = {
        "color": ",".join(map(str, (*colour, 255))),
        "outline_color": ",".join(map(str, (*darker, 255))),
        "outline_style": "solid",
        "outline_width": "0.1",
        "outline_width_unit": "MM",
        "style": "solid",
    }
    symbol = ET.SubElement(symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1")
    layer = ET.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1", "pass": "0", "locked": "0"})
    table = ET.SubElement(layer, "Option", type="Map")
    for key, value in options.items():
        ET.SubElement(table, "Option", type="QString", name=key, value=value)
        ET.SubElement(layer, "prop", k=key, v=value)  # what QGIS before 3.26 reads
