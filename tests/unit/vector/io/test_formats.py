"""Files: what is written is what is read, under its name only when complete."""

import json
import sqlite3

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from helpers.vectors import layer_of, smooth_mask, write_layer, write_mask
from pyogrio.errors import DataLayerError

from geoseg.errors import LayerError, OutputError
from geoseg.vector.io import formats
from geoseg.vector.io.output_spec import OutputSpec
from geoseg.vector.polygonize import polygonize

SUFFIXES = [".gpkg", ".geojson", ".parquet", ".fgb"]


def read(path):
    return gpd.read_parquet(path) if path.suffix == ".parquet" else pyogrio.read_dataframe(path, layer=0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("connectivity", [4, 8])
def test_every_format_gives_the_layer_back(tmp_path, suffix, connectivity):
    layer = layer_of(smooth_mask(40), connectivity=connectivity)
    write_layer(layer, tmp_path / f"a{suffix}")
    back = read(tmp_path / f"a{suffix}").to_crs(layer.crs).sort_values(["area_m2", "class_index"])
    frame = layer.frame.sort_values(["area_m2", "class_index"])
    assert back["class_name"].tolist() == frame["class_name"].tolist()
    assert shapely.area(back.geometry.to_numpy()).sum() == pytest.approx(40 * 40 * 25, rel=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_layers_keep_their_schema(tmp_path, suffix):
    write_layer(layer_of(np.full((3, 3), 255, np.uint8)), tmp_path / f"a{suffix}")
    back = read(tmp_path / f"a{suffix}")
    assert len(back) == 0
    if suffix != ".geojson":  # which has no schema
        assert {"class_index", "class_name", "area_m2"} <= set(back.columns)


def test_a_geopackage_brings_its_style_and_keeps_the_crs(tmp_path):
    write_layer(layer_of(smooth_mask(20)), tmp_path / "a.gpkg")
    info = pyogrio.read_info(tmp_path / "a.gpkg", layer="polygons")
    assert (info["crs"], info["geometry_name"]) == ("EPSG:32633", "geom")
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        style = database.execute("select f_table_name, f_geometry_column, useAsDefault, styleQML from layer_styles")
        table, column, default, text = style.fetchone()
        contents = dict(database.execute("select table_name, data_type from gpkg_contents").fetchall())
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    database.close()
    assert (table, column, default) == ("polygons", "geom", 1)
    assert "water" in text
    assert contents == {"polygons": "features", "layer_styles": "attributes"}


def test_geojson_is_in_longitude_and_latitude_with_shells_counter_clockwise(tmp_path):
    write_layer(layer_of(smooth_mask(20)), tmp_path / "a.geojson")
    content = json.loads((tmp_path / "a.geojson").read_text())
    shell = shapely.LinearRing(content["features"][0]["geometry"]["coordinates"][0])
    assert "crs" not in content
    assert shell.is_ccw
    assert shell.bounds[:2] == pytest.approx((13.53, 52.34), abs=0.02)


def test_without_crs_geojson_is_refused_and_a_geopackage_written(tmp_path):
    layer = layer_of(smooth_mask(10), crs=None)
    with pytest.raises(OutputError, match="no CRS"):
        write_layer(layer, tmp_path / "a.geojson")
    write_layer(layer, tmp_path / "a.gpkg")
    assert read(tmp_path / "a.gpkg")["area_m2"].isna().all()


@pytest.mark.parametrize("name", ["a.dxf", "a.tif", "a"])
def test_other_suffixes_are_refused_with_those_we_write(tmp_path, name):
    with pytest.raises(OutputError, match=name) as caught:
        OutputSpec(tmp_path / name)
    assert ".gpkg" in caught.value.hint


def test_files_are_not_overwritten_unless_asked(tmp_path):
    path = tmp_path / "a.gpkg"
    write_layer(layer_of(smooth_mask(10)), path)
    with pytest.raises(OutputError, match="exists"):
        write_layer(layer_of(smooth_mask(10)), path)
    write_layer(layer_of(np.zeros((2, 2), np.uint8)), path, overwrite=True)
    assert len(read(path)) == 1


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), DataLayerError("disk is full: No space left")]
)
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, error):
    path = tmp_path / "a.gpkg"
    write_layer(layer_of(np.zeros((2, 2), np.uint8)), path)

    def full_disk(*_, **__):
        raise error

    monkeypatch.setattr(formats, "build_style_table", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_layer(layer_of(smooth_mask(10)), path, overwrite=True)
    assert len(read(path)) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".fgb", ".geojson", ".shp"])
def test_identifiers_stay_unique_when_polygons_are_appended(tmp_path, suffix):
    mask = write_mask(tmp_path / "m.tif", np.array([[0, 1], [1, 0]], np.uint8))
    output = tmp_path / f"o{suffix}"
    for append in (False, True, True):
        polygons = polygonize(mask, output, append=append)
    assert sorted(polygons.frame["polygon_id"]) == list(range(12))


def test_polygons_without_identifier_do_not_stop_appending(tmp_path):
    """QGIS leaves it out of a polygon that is drawn by hand."""
    mask = write_mask(tmp_path / "m.tif", np.array([[0, 1], [1, 0]], np.uint8))
    output = tmp_path / "o.gpkg"
    frame = polygonize(mask, output).frame
    frame.loc[0, "polygon_id"] = None
    frame.to_file(output, layer="polygons")
    assert sorted(polygonize(mask, output, append=True).frame["polygon_id"].dropna()) == list(range(1, 8))
    frame.assign(polygon_id="a").to_file(output, layer="polygons")
    with pytest.raises(LayerError, match="polygon_id"):
        polygonize(mask, output, append=True)
