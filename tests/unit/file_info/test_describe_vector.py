"""What `describe` says of vector files."""

import geopandas as gpd
import pytest
from shapely.geometry import box

from geoseg.errors import LayerError
from geoseg.file_info.describe import describe

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
