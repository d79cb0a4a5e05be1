"""QGIS layer styles that draw each class in its color.

When QGIS opens a GeoPackage layer, it applies the default style from the table ``layer_styles``.
"""

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pyogrio

from geoseg.errors import GeosegError
from geoseg.legend import Colour, Legend

STYLE_TABLE = "layer_styles"
"""GeoPackage table from which QGIS reads styles."""

OUTLINE_BRIGHTNESS = 0.6
"""Brightness of polygon outlines relative to the fill."""


def to_qml(legend: Legend, *, column: str = "class_name") -> str:
    """Return a QGIS layer style (QML text) that colors polygons by the class name in ``column``."""
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
    """Read class names and colors from the style that geoseg wrote to a GeoPackage; return None if there is none."""
    if Path(path).suffix.lower() != ".gpkg" or STYLE_TABLE not in {str(name) for name, _ in pyogrio.list_layers(path)}:
        return None
    try:
        root = ET.fromstring(pyogrio.read_dataframe(path, layer=STYLE_TABLE)["styleQML"].iloc[0])  # noqa: S314
        colours = {
            str(symbol.get("name")): _fill_color(symbol) for symbol in root.iterfind("renderer-v2/symbols/symbol")
        }
        categories = root.iterfind("renderer-v2/categories/category")
        return Legend.of({str(category.get("value")): colours[str(category.get("symbol"))] for category in categories})
    except (ET.ParseError, KeyError, IndexError, StopIteration, ValueError, GeosegError):  # not written by geoseg
        return None


def _fill_color(symbol: ET.Element) -> list[int]:
    options = symbol.iterfind("layer/Option/Option")
    color = next(str(option.get("value")) for option in options if option.get("name") == "color")
    return [int(part) for part in color.split(",")[:3]]


def build_style_table(legend: Legend, *, layer: str, geometry_column: str = "geom") -> pd.DataFrame:
    """Create the ``layer_styles`` row with the default style for ``layer``."""
    row = {
        "f_table_catalog": "",
        "f_table_schema": "",
        "f_table_name": layer,
        "f_geometry_column": geometry_column,
        "styleName": "classes",
        "styleQML": to_qml(legend),
        "styleSLD": "",
        "useAsDefault": True,
        "description": "classes in the colours of the legend",
        "owner": "",
        "ui": "",
        "update_time": pd.Timestamp(datetime.now(UTC)),
    }
    return pd.DataFrame([row])


def _add_symbol(symbols: ET.Element, name: str, colour: Colour) -> None:
    darker = tuple(int(part * OUTLINE_BRIGHTNESS) for part in colour)
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
        ET.SubElement(layer, "prop", k=key, v=value)  # for QGIS before 3.26
