"""Outputs: layers and files per class, appended rows, the CRS, the limits of formats."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from helpers.vectors import LEGEND, layer_of, smooth_mask, valid_coverage, write_predicted_mask

from geoseg.errors import ConfigError, LayerError
from geoseg.vector.io.output_spec import OutputSpec
from geoseg.vector.polygonize import polygonize

MASK = smooth_mask(60)
SUFFIXES = [".gpkg", ".parquet", ".fgb", ".geojson", ".shp"]


@pytest.fixture
def mask(tmp_path):
    return write_predicted_mask(tmp_path / "mask.tif", MASK)


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet", ".shp"])
def test_classes_get_layers_or_files_of_their_own(mask, tmp_path, suffix):
    layer = polygonize(mask, tmp_path / f"a{suffix}", per_class=True)
    if suffix == ".gpkg":
        names = [name for name, kind in pyogrio.list_layers(layer.path) if kind is not None]
        counts = [pyogrio.read_info(layer.path, layer=name)["features"] for name in names]
        assert len(pyogrio.read_dataframe(layer.path, layer="layer_styles")) == 4
    else:
        names = sorted(path.stem.removeprefix("a_") for path in tmp_path.glob(f"a_*{suffix}"))
        files = [tmp_path / f"a_{name}{suffix}" for name in names]
        counts = [len(gpd.read_parquet(f) if suffix == ".parquet" else gpd.read_file(f)) for f in files]
    assert sorted(names) == sorted(LEGEND.names)
    assert sum(counts) == len(layer)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_polygons_are_appended(mask, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    first = polygonize(mask, path, classes=["water"])
    before = first.frame
    second = polygonize(mask, path, classes=["roof"], append=True)
    assert len(second.frame) == len(first) + len(second)
    if suffix != ".fgb":  # which sorts by place
        assert second.frame.iloc[: len(before)].geometry.geom_equals(before.geometry).all()
    assert set(second.frame["class_name"]) == {"water", "roof"}


def test_appended_rows_are_in_the_crs_of_the_file(mask, tmp_path):
    path = tmp_path / "a.gpkg"
    polygonize(mask, path, crs="EPSG:3857")
    both = polygonize(mask, path, append=True)
    assert both.frame.crs == "EPSG:3857"
    half = len(both)
    assert both.frame.iloc[:half].area.sum() == pytest.approx(both.frame.iloc[half:].area.sum())
    assert pyogrio.read_dataframe(path, layer="layer_styles").shape[0] == 1


def test_rows_that_do_not_match_the_file_are_not_appended(mask, tmp_path):
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:32633").to_file(tmp_path / "other.gpkg")
    with pytest.raises(LayerError, match="no column"):
        polygonize(mask, tmp_path / "other.gpkg", append=True)
    polygonize(mask, tmp_path / "a.gpkg")
    with pytest.raises(LayerError, match="single-part"):
        polygonize(mask, tmp_path / "a.gpkg", append=True, connectivity=8)
    with pytest.raises(ConfigError, match="either overwritten or appended"):
        polygonize(mask, tmp_path / "a.gpkg", append=True, overwrite=True)
    with pytest.raises(ConfigError, match="per class"):
        polygonize(mask, tmp_path / "a.gpkg", append=True, per_class=True)


def test_coordinates_are_in_the_given_crs_and_areas_stay(mask, tmp_path):
    own = polygonize(mask, tmp_path / "a.gpkg").frame
    other = polygonize(mask, tmp_path / "b.gpkg", crs="EPSG:3857").frame
    assert other.crs == "EPSG:3857"
    assert other["area_m2"].tolist() == own["area_m2"].tolist()
    assert valid_coverage(other)
    with pytest.raises(ConfigError, match="invalid CRS"):
        polygonize(mask, tmp_path / "c.gpkg", crs="EPSG:nonsense")
    with pytest.raises(ConfigError, match="longitude and latitude"):
        polygonize(mask, tmp_path / "c.geojson", crs="EPSG:3857")


def test_limits_of_shapefile_are_noted(mask, tmp_path):
    layer = polygonize(mask, tmp_path / "a.shp")
    assert any("2 GB" in note for note in layer.notes)
    assert {"polygon_id", "class_id", "class_name", "area_m2", "perim_m", "confidence", "source", "model"} <= set(
        layer.frame
    )
    assert sorted(path.suffix for path in tmp_path.glob("a.*")) == [".cpg", ".dbf", ".prj", ".shp", ".shx"]


def test_polygons_are_counted_by_class(tmp_path):
    layer = layer_of(np.array([[0, 1, 0]], np.uint8))
    summary = OutputSpec(tmp_path / "a.gpkg").write(layer.to_stream(), layer.legend)
    assert (summary.count, summary.class_counts, summary.layers) == (3, {"water": 2, "forest": 1}, ("polygons",))


@pytest.mark.parametrize("option", ["overwrite", "append", "per_class"])
def test_options_of_files_need_a_file(option):
    with pytest.raises(ConfigError, match="need an output file"):
        OutputSpec(None, **{option: True})


def test_layers_without_classes_cannot_be_split_by_class(tmp_path):
    frame = gpd.GeoDataFrame({"kind": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:32633")
    frame.to_file(tmp_path / "a.gpkg")
    with pytest.raises(LayerError, match="no column 'class_name'"):
        polygonize(tmp_path / "a.gpkg", tmp_path / "b.gpkg", per_class=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gpkg"]
