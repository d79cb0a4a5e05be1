"""What `describe` says of vector files."""

import json

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.memory import run_and_measure
from shapely.geometry import Polygon, box

from geoseg.errors import LayerError
from geoseg.file_info.describe import describe
from geoseg.vector.io import parquet_layer
from geoseg.vector.io.parquet_layer import ParquetLayer
from geoseg.vector.io.reader import read_polygons

PLAIN = gpd.GeoDataFrame({"kind": ["a", "b"]}, geometry=[box(0, 0, 1, 1), box(2, 0, 3, 2)], crs="EPSG:32633")
OURS = PLAIN.assign(class_index=[1, 0], class_name=["roof", "land"], area_m2=[1.0, 3.0])


def texts(summary):
    return {fact.label: fact.text for fact in summary.facts}


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet", ".shp"])
def test_any_polygon_file_has_features_and_columns(tmp_path, suffix):
    path = tmp_path / f"town{suffix}"
    PLAIN.to_parquet(path) if suffix == ".parquet" else PLAIN.to_file(path)
    summary = describe(path)
    said = texts(summary)
    assert summary.kind == "polygons"
    assert said["features"] == "2 (Polygon)"
    assert "kind" in said["columns"].split(", ")
    assert summary.classes == ()


def test_crs_and_bounds_are_the_files_own(tmp_path):
    PLAIN.to_file(tmp_path / "town.gpkg")
    said = texts(describe(tmp_path / "town.gpkg"))
    assert said["CRS"] == "EPSG:32633 (WGS 84 / UTM zone 33N)"
    assert said["bounds"].startswith("0, 0, 3, 2")


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_polygons_of_geoseg_are_counted_by_class_with_their_area(tmp_path, suffix):
    path = tmp_path / f"town{suffix}"
    OURS.to_parquet(path) if suffix == ".parquet" else OURS.to_file(path)
    land, roof = describe(path).classes
    assert (land.index, land.name, land.count, land.area_m2, land.share) == (0, "land", 1, 3.0, 0.75)
    assert (roof.index, roof.name, roof.count, roof.area_m2) == (1, "roof", 1, 1.0)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet"])
@pytest.mark.parametrize("columns", [["class_index", "class_name"], []])
def test_layers_without_other_columns_are_described(tmp_path, suffix, columns):
    """An area of interest without attributes was not a readable layer."""
    frame = OURS[[*columns, "geometry"]]
    path = tmp_path / f"town{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    assert texts(describe(path))["features"] == "2 (Polygon)"


def test_unknown_areas_stay_unknown(tmp_path):
    OURS.assign(area_m2=float("nan")).to_file(tmp_path / "town.gpkg")
    summary = describe(tmp_path / "town.gpkg")
    assert [(row.count, row.area_m2, row.share) for row in summary.classes] == [(1, None, None), (1, None, None)]


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet"])
def test_a_layer_without_features_is_described(tmp_path, suffix):
    path = tmp_path / f"empty{suffix}"
    OURS[:0].to_parquet(path) if suffix == ".parquet" else OURS[:0].to_file(path, geometry_type="Polygon")
    summary = describe(path)
    assert texts(summary)["bounds"] == "none: there are no features"
    assert summary.classes == ()


@pytest.mark.parametrize(("x", "impossible"), [(400_000, True), (179, False)])
def test_coordinates_that_no_place_has_are_said(tmp_path, x, impossible):
    gpd.GeoDataFrame(geometry=[box(x, 0, x + 1, 1)], crs=4326).to_file(tmp_path / "a.gpkg")
    said = ("the coordinates are impossible in EPSG:4326: check the CRS",) if impossible else ()
    assert describe(tmp_path / "a.gpkg").notes == said


def test_several_layers_are_mentioned(tmp_path):
    for name in ("first", "second"):
        PLAIN.to_file(tmp_path / "town.gpkg", layer=name)
    assert texts(describe(tmp_path / "town.gpkg"))["layer"] == "first, the first of 2"


def test_a_missing_file_is_answered_with_its_neighbour(tmp_path):
    PLAIN.to_file(tmp_path / "town.gpkg")
    with pytest.raises(LayerError, match="does not exist") as caught:
        describe(tmp_path / "twon.gpkg")
    assert caught.value.hint == "did you mean town.gpkg?"


def test_text_that_calls_itself_geojson_is_refused(tmp_path):
    (tmp_path / "a.geojson").write_text("hello")
    with pytest.raises(LayerError, match="cannot be read"):
        describe(tmp_path / "a.geojson")


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet", ".shp"])
def test_values_of_columns_with_few_values_are_counted(tmp_path, suffix):
    rows = 50
    frame = gpd.GeoDataFrame(
        {
            "number": range(rows),
            "kind": ["a" if row % 3 else None for row in range(rows)],
            "level": [row % 4 for row in range(rows)],
            "height": [row / 7 for row in range(rows)],
            "note": [f"note {row}" for row in range(rows)],
            "long": ["x" * 80] * rows,
        },
        geometry=[box(row, 0, row + 1, 1) for row in range(rows)],
        crs="EPSG:32633",
    )
    path = tmp_path / f"town{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    said = texts(describe(path))
    counted = {label.removeprefix("values of "): text for label, text in said.items() if label.startswith("values of")}
    assert counted == {"kind": "a (33), null (17)", "level": "0 (13), 1 (13), 2 (12), 3 (12)"}
    assert describe(path).to_json()["values_of_level"] == frame["level"].astype(str).value_counts().to_dict()


def test_classes_that_are_listed_are_not_repeated_as_values(tmp_path):
    OURS.to_file(tmp_path / "town.gpkg")
    labels = [label for label in texts(describe(tmp_path / "town.gpkg")) if label.startswith("values of")]
    assert labels == ["values of kind"]


def write_many_rows(path, millions: int) -> None:
    """A GeoParquet file of a few hundred kilobytes with a row group per million equal rows."""
    rows = 1_000_000
    columns = {
        "class_index": pa.array(np.zeros(rows, np.int64)),
        "class_name": pa.array(["roof"] * rows),
        "geometry": pa.nulls(rows, pa.binary()),
    }
    table = pa.table(columns)
    column = {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": None}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        writer.add_key_value_metadata({"geo": json.dumps(geo)})
        for _ in range(millions):
            writer.write_table(table)


def test_a_small_file_of_many_rows_is_described_in_bounded_memory(tmp_path):
    path = tmp_path / "many.parquet"
    write_many_rows(path, 6)
    assert path.stat().st_size < 1_000_000
    code = "import sys; from geoseg.file_info.describe import describe; print(describe(sys.argv[1]).classes[0].count)"
    text, peak_mb = run_and_measure(code, path)
    assert text == "6000000"
    assert peak_mb < 500


def test_a_file_of_more_rows_than_memory_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "many.parquet"
    write_many_rows(path, 1)
    monkeypatch.setattr(parquet_layer, "MEMORY_SHARE", 1e-3)
    with pytest.raises(LayerError, match="declares 1,000,000 rows") as caught:
        read_polygons(path)
    assert caught.value.hint


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet"])
def test_features_without_coordinates_have_no_bounds(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    frame = gpd.GeoDataFrame({"kind": ["a"]}, geometry=[Polygon()], crs="EPSG:4326")
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
    summary = describe(path)
    assert texts(summary)["bounds"] == "none: the features have no coordinates"
    assert summary.to_json()["bounds"] is None


@pytest.mark.parametrize("bbox", [True, False], ids=["declared bounds", "bounds of the geometries"])
def test_bounds_of_geoparquet_are_those_of_geopandas(tmp_path, bbox):
    path = tmp_path / "a.parquet"
    PLAIN.to_parquet(path)
    if not bbox:
        table = pq.read_table(path)
        geo = json.loads(table.schema.metadata[b"geo"])
        del geo["columns"]["geometry"]["bbox"]
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    assert ParquetLayer.open(str(path)).bounds == tuple(PLAIN.total_bounds)


def test_parquet_without_geometries_is_said(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(LayerError, match="is not GeoParquet"):
        describe(path)


def test_a_long_text_that_is_repeated_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "long.parquet"
    rows = 20_000
    frame = gpd.GeoDataFrame({"note": ["x" * 40_000] * rows}, geometry=[box(0, 0, 1, 1)] * rows, crs="EPSG:32633")
    frame.to_parquet(path)
    _, peak_mb = run_and_measure(
        "import sys; from geoseg.file_info.describe import describe; describe(sys.argv[1])", path
    )
    assert peak_mb < 500
