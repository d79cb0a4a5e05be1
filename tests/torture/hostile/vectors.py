"""Layers with coordinates that are absurd or not numbers, strange names, and hostile styles."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import shapely

from torture.ordinary import PLACE

from .cases import Case, Place, evaluate, info, polygonize, predict

GEOMETRIES = {
    "NaN": '{"type":"Polygon","coordinates":[[[NaN,0],[1,0],[1,1],[NaN,0]]]}',
    "infinite": '{"type":"Polygon","coordinates":[[[1e400,0],[1,0],[1,1],[1e400,0]]]}',
    "1e300": '{"type":"Polygon","coordinates":[[[-1e300,-1e300],[1e300,-1e300],[1e300,1e300],[-1e300,-1e300]]]}',
    "a billion degrees": '{"type":"Polygon","coordinates":[[[-1e9,-1e9],[1e9,-1e9],[1e9,1e9],[-1e9,1e9],[-1e9,-1e9]]]}',
    "self-crossing": '{"type":"Polygon","coordinates":[[[13,52],[14,53],[14,52],[13,53],[13,52]]]}',
    "null": "null",
    "empty": '{"type":"Polygon","coordinates":[]}',
    "nested": '{"type":"GeometryCollection","geometries":[' * 3000 + "]}" * 3000,
    "one vertex": '{"type":"Polygon","coordinates":[[[13,52]]]}',
    "strings": '{"type":"Polygon","coordinates":[[["13","52"],["14","52"],["14","53"],["13","52"]]]}',
    "point": '{"type":"Point","coordinates":[13,52]}',
    "zero area": '{"type":"Polygon","coordinates":[[[13,52],[13,52],[13,52],[13,52]]]}',
    "four dimensions": '{"type":"Polygon","coordinates":[[[13,52,1,2],[14,52,1,2],[14,53,1,2],[13,52,1,2]]]}',
    "poles": '{"type":"Polygon","coordinates":[[[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]]]}',
    "unknown type": '{"type":"Donut","coordinates":[13,52]}',
}  # fmt: skip
"""Geometries as GeoJSON."""

LAYER_NAMES = (
    "../../x",
    "a'; DROP TABLE gpkg_contents;--",
    'q"uote',
    "x" * 3000,
    "<script>",
    "[br]%s%n",
    "line\nbreak",
    " ",
)

STYLES = {
    "entity bomb": "<!DOCTYPE q [<!ENTITY a0 'lol'>"
    + "".join(f"<!ENTITY a{level} '{f'&a{level - 1};' * 10}'>" for level in range(1, 11))
    + "]><qgis>&a10;</qgis>",
    "external entity": "<!DOCTYPE q [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><qgis>&x;</qgis>",
    "nested": "<a>" * 300_000,
    "binary": "\x01\x02",
}
"""Texts in the style table of a GeoPackage."""

VIEW_ENTRIES = {
    "gpkg_contents": "data_type, 'endless', description, last_change, min_x, min_y, max_x, max_y, srs_id",
    "gpkg_geometry_columns": "column_name, geometry_type_name, srs_id, z, m",
}
"""Columns that register a view as a layer, by table of a GeoPackage."""


def write_cases(place: Place) -> Iterator[Case]:
    """Write layers and yield their calls."""
    for label, geometry in GEOMETRIES.items():
        path = place.folder / f"{label.replace(' ', '_')}.geojson"
        path.write_text(_feature_collection(geometry))
        yield from _calls(place, f"GeoJSON {label}", path)
    texts = {
        "nothing": "",
        "array": "[" * 200_000,
        "no features": '{"type":"FeatureCollection","features":[]}',
        "not JSON": "{",
    }
    for label, text in texts.items():
        path = place.folder / f"{label.replace(' ', '_')}.geojson"
        path.write_text(text)
        yield from _calls(place, f"GeoJSON {label}", path)
    for number, name in enumerate(LAYER_NAMES):
        path = place.folder / f"layer_{number}.gpkg"
        _write_square(path, name)
        yield from _calls(place, f"layer {ascii(name)[:30]}", path)
    for label, style in STYLES.items():
        path = place.folder / f"style_{label.replace(' ', '_')}.gpkg"
        _write_square(path, "polygons")
        _add_style(path, style)
        yield from _calls(place, f"style {label}", path)
    yield from _false_geopackages(place)


def _calls(place: Place, label: str, path: Path) -> Iterator[Case]:
    yield info(label, path)
    yield predict(f"area {label}", place.scene, place.model, "--aoi", str(path))
    yield polygonize(label, path, "--simplify", "0.5")
    yield evaluate(f"against {label}", place.mask, path)


def _feature_collection(geometry: str) -> str:
    properties = json.dumps({"class_name": "<b>", "class_index": 0}).replace("0}", "1e400}")
    feature = f'{{"type":"Feature","properties":{properties},"geometry":{geometry}}}'
    return f'{{"type":"FeatureCollection","features":[{feature}]}}'


def _write_square(path: Path, layer: str) -> None:
    square = shapely.box(400_005, 5_799_980, 400_020, 5_799_995)
    frame = gpd.GeoDataFrame({"class_name": ["road"], "class_index": [0]}, geometry=[square], crs=PLACE["crs"])
    try:
        frame.to_file(path, layer=layer)
    except Exception:
        frame.to_file(path, layer="renamed")  # GDAL refuses the name: write it with SQLite
        with sqlite3.connect(path) as connection:
            connection.execute("update gpkg_contents set identifier = ?", (layer,))


def _add_style(path: Path, style: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table layer_styles(id integer primary key, f_table_name text, styleQML text)")
        connection.execute("insert into layer_styles values(1, 'polygons', ?)", (style,))
        columns = "table_name, data_type, identifier"
        connection.execute(f"insert into gpkg_contents({columns}) values('layer_styles', 'attributes', 'layer_styles')")


def _false_geopackages(place: Place) -> Iterator[Case]:
    plain = place.folder / "plain.gpkg"
    with sqlite3.connect(plain) as connection:
        connection.execute("create table t(a)")
    view = place.folder / "view.gpkg"
    _write_square(view, "polygons")
    with sqlite3.connect(view) as connection:  # a view that never ends
        connection.execute(
            "create view endless as with recursive n(fid) as (select 1 union all select fid + 1 from n)"
            " select n.fid as fid, geom, 'a' as class_name from n, polygons"
        )
        for table, columns in VIEW_ENTRIES.items():
            connection.execute(f"insert into {table} select 'endless', {columns} from {table} limit 1")
    for path in (plain, view):
        yield from _calls(place, path.name, path)
