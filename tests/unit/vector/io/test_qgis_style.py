"""QGIS styles: every class once, in its colour."""

from xml.etree import ElementTree as ET

from helpers.vectors import LEGEND

from geoseg.legend import Legend
from geoseg.vector.io.qgis_style import build_style_table, to_qml


def test_each_class_is_a_category_with_a_symbol_in_its_colour():
    renderer = ET.fromstring(to_qml(LEGEND)).find("renderer-v2")
    assert renderer.get("attr") == "class_name"
    assert [category.get("value") for category in renderer.iter("category")] == list(LEGEND.names)
    symbols = {symbol.get("name"): symbol for symbol in renderer.iter("symbol")}
    forest = symbols[renderer.findall("categories/category")[1].get("symbol")]
    assert forest.find("layer/Option/Option[@name='color']").get("value") == "0,170,0,255"


def test_names_are_escaped():
    odd = Legend.of({'roads & "tracks" <5 m': "#123456"})
    assert ET.fromstring(to_qml(odd)).find(".//category").get("value") == 'roads & "tracks" <5 m'


def test_the_style_is_the_default_of_its_layer():
    row = build_style_table(LEGEND, layer="polygons").iloc[0]
    assert (row["f_table_name"], row["f_geometry_column"], row["useAsDefault"]) == ("polygons", "geom", True)
