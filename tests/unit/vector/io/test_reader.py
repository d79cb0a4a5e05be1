"""The reader of vector files: which layer, which geometries, where, in which CRS."""

import os

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from geoseg.errors import LayerError
from geoseg.grid.grid import Grid
from geoseg.vector.io.reader import GridPolygons, is_vector_layer, read_features, read_polygons
from geoseg.vector.io.reproject import match_crs
from geoseg.vector.io.require_file import require_file

UTM = CRS.from_epsg(32633)
GRID = Grid(UTM, Affine(1, 0, 400_000, 0, -1, 5_800_000), 20, 20)
BOX = shapely.box(400_001, 5_799_990, 400_005, 5_799_995)
MIXED = [
    BOX,
    shapely.Point(400_001, 5_799_999),
    None,
    shapely.GeometryCollection([BOX, shapely.Point(400_002, 5_799_999)]),
]


@pytest.fixture
def mixed(tmp_path):
    gpd.GeoDataFrame({"kind": ["box", "pin", "none", "mix"]}, geometry=MIXED, crs=UTM).to_file(tmp_path / "mixed.gpkg")
    return tmp_path / "mixed.gpkg"


def test_features_are_read_as_they_are(mixed):
    assert read_features(mixed)["kind"].tolist() == ["box", "pin", "none", "mix"]


def test_every_reader_selects_the_same_polygons(mixed, caplog):
    assert read_polygons(mixed)["kind"].tolist() == ["box", "mix"]
    assert "mixed.gpkg: left out 2 features (1 point, 1 without geometry)" in caplog.text
    near = GridPolygons.read(mixed, GRID)
    assert near.frame["kind"].tolist() == ["box", "mix"]
    assert [area.equals(BOX) for area in near.frame.geometry] == [True, True]
    assert near.notes == (
        f"{mixed}: left out 1 feature (1 point)",
        f"{mixed}: left out 1 feature (1 without geometry)",
    )


def write_layers(path, **kinds):
    """Write one layer per name with features of the given geometries."""
    for name, geometries in kinds.items():
        gpd.GeoDataFrame({"kind": [name] * len(geometries)}, geometry=geometries, crs=UTM).to_file(path, layer=name)
    return path


def test_the_layer_to_read_is_decided_once(tmp_path, caplog):
    path = write_layers(tmp_path / "a.gpkg", first=[BOX])
    assert len(read_features(path)) == 1
    write_layers(path, second=[BOX, BOX])
    for read in (read_features, read_polygons):
        with pytest.raises(LayerError, match="2 layers with geometries: first, second") as caught:
            read(path)
        assert "first" in caught.value.hint
        assert len(read(path, layer="second")) == 2
    write_layers(path, polygons=[BOX, BOX, BOX])
    assert len(read_features(path)) == len(read_polygons(path)) == 3
    assert "reading polygons" in caplog.text


def test_layers_of_points_and_lines_are_not_meant(tmp_path, caplog):
    path = write_layers(
        tmp_path / "a.gpkg", pins=[shapely.Point(0, 0)], fields=[BOX], roads=[shapely.LineString([(0, 0), (1, 1)])]
    )
    assert read_polygons(path)["kind"].tolist() == ["fields"]
    assert "3 layers with geometries; reading fields" in caplog.text


def test_missing_files_are_errors_with_the_nearest_name(mixed):
    for read in (read_features, read_polygons):
        with pytest.raises(LayerError, match="does not exist") as caught:
            read(mixed.with_name("mixd.gpkg"))
        assert "mixed.gpkg" in caught.value.hint


def test_frames_are_reprojected_only_if_both_have_a_crs(mixed):
    frame = read_polygons(mixed)
    assert match_crs(frame, CRS.from_epsg(4326)).total_bounds[0] == pytest.approx(13.5, abs=0.1)
    with pytest.raises(LayerError, match="the grid has no CRS"):
        match_crs(frame, None)
    with pytest.raises(LayerError, match="the layer has no CRS"):
        match_crs(frame.set_crs(None, allow_override=True), UTM)


def test_a_vector_file_is_told_by_its_suffix_and_a_geopackage_by_its_layers(mixed, tmp_path):
    assert is_vector_layer(mixed)
    assert not is_vector_layer(tmp_path / "missing.gpkg")
    (tmp_path / "a.tif").write_bytes(b"")
    (tmp_path / "a.gpkg").write_text("no database")
    (tmp_path / "a.fgb").write_bytes(b"")
    found = [is_vector_layer(tmp_path / name) for name in ("a.tif", "a.gpkg", "a.fgb")]
    assert np.array_equal(found, [False, False, True])


@pytest.mark.parametrize("covering", [True, False])
def test_geoparquet_with_bounds_is_read_near_the_grid_only(tmp_path, monkeypatch, covering):
    x = np.arange(1000.0) * 100
    geometries = shapely.box(x, 0, x + 10, 10)
    geometries[[3, 700]] = [None, shapely.Polygon()]
    frame = gpd.GeoDataFrame({"number": np.arange(1000)}, geometry=geometries, crs=32633)[::-1]
    frame.to_parquet(tmp_path / "a.parquet", write_covering_bbox=covering, row_group_size=10)
    grid = Grid(CRS(32633), Affine(1, 0, 50_000, 0, -1, 100), 100, 1000)
    read: list[int] = []
    original = gpd.read_parquet
    monkeypatch.setattr(gpd, "read_parquet", lambda *args, **options: _append_length(read, original(*args, **options)))
    found = read_features(tmp_path / "a.parquet", grid)
    assert found["number"].tolist() == [700, *range(510, 499, -1), 3]  # the order of the layer, with missing geometries
    assert read == [len(found) if covering else 1000]
    polygons = GridPolygons.read(tmp_path / "a.parquet", grid)
    assert polygons.frame["number"].tolist() == list(range(510, 499, -1))
    assert polygons.notes == (f"{tmp_path / 'a.parquet'}: left out 2 features (2 without geometry)",)


def _append_length(lengths, frame):
    lengths.append(len(frame))
    return frame


def test_a_bounds_column_that_the_file_lacks_is_not_used(tmp_path):
    frame = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=32633)
    frame.to_parquet(tmp_path / "a.parquet", write_covering_bbox=True)
    table = pq.read_table(tmp_path / "a.parquet")
    pq.write_table(table.drop_columns("bbox"), tmp_path / "b.parquet")
    assert len(read_features(tmp_path / "b.parquet", Grid(CRS(32633), Affine(1, 0, 0, 0, -1, 1), 1, 1))) == 1


def test_features_without_geometry_are_not_searched_for_in_sorted_flatgeobuf(tmp_path, monkeypatch):
    path = tmp_path / "a.fgb"
    missing = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1), None], crs=32633)
    with pytest.raises(pyogrio.errors.FeatureError, match="NULL geometry not supported with spatial index"):
        missing.to_file(path)
    missing.dropna().to_file(path)
    calls = []
    original = pyogrio.read_dataframe
    monkeypatch.setattr(
        pyogrio, "read_dataframe", lambda *a, **options: calls.append(options) or original(*a, **options)
    )
    assert GridPolygons.read(path, Grid(CRS(32633), Affine(1, 0, 0, 0, -1, 1), 1, 1)).notes == ()
    assert all("where" not in options for options in calls)


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "area.geojson")
    with pytest.raises(LayerError, match=r"area\.geojson is a pipe, not a file"):
        require_file(tmp_path / "area.geojson")


@pytest.mark.parametrize("size", [1e300, 2e12])
def test_polygons_with_coordinates_that_no_place_has_are_left_out(tmp_path, size, caplog):
    """The measurement of their areas ended in a division by zero."""
    frame = gpd.GeoDataFrame(geometry=[BOX, shapely.box(-size, -size, size, size)], crs=UTM)
    frame.to_file(tmp_path / "huge.gpkg")
    assert len(read_polygons(tmp_path / "huge.gpkg")) == 1
    assert "left out 1 feature (1 with coordinates above 1e+12)" in caplog.text
    frame[1:].to_file(tmp_path / "only.gpkg")
    with pytest.raises(LayerError, match=r"only\.gpkg contains no polygons: left out 1 feature"):
        read_polygons(tmp_path / "only.gpkg")
