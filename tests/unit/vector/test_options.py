"""What may be wished of polygons, from file to file: generalised, attributed, in many formats, behind others."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from rasterio.features import rasterize
from strategies_vector import FIVE_METRES, LEGEND, smooth_mask

from geoseg.errors import ConfigError, GridMismatch, LayerError, OutputError, SceneError
from geoseg.vector.polygonize import polygonize

MASK = smooth_mask(60)
SUFFIXES = [".gpkg", ".parquet", ".fgb", ".geojson", ".shp"]


def write(path, values, *, names=None, scale=None, **options):
    values = values if values.ndim == 3 else values[None]
    profile = {"count": len(values), "height": values.shape[1], "width": values.shape[2], "dtype": values.dtype}
    profile |= {"crs": "EPSG:32633", "transform": FIVE_METRES, "nodata": 255} | options
    with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
        dataset.write(values)
        if scale is not None:
            dataset.scales = [scale] * len(values)
        for band, name in enumerate(names or (), start=1):
            dataset.set_band_description(band, name)
        if values.ndim == 3 and len(values) == 1 and scale is None:
            dataset.update_tags(
                GEOSEG_CLASSES=LEGEND.to_json(), GEOSEG_MODEL="town.safetensors", GEOSEG_SOURCE="town.tif"
            )
    return path


@pytest.fixture
def mask(tmp_path):
    return write(tmp_path / "mask.tif", MASK)


def valid_coverage(frame):
    geometries = frame.geometry.to_numpy()
    return bool(shapely.is_valid(geometries).all() and shapely.coverage_is_valid(geometries))


def test_polygons_say_where_they_come_from(mask, tmp_path):
    frame = polygonize(mask, tmp_path / "a.gpkg").frame
    assert set(frame["source"]) == {"town.tif"}
    assert set(frame["model"]) == {"town.safetensors"}
    assert frame["polygon_id"].is_unique
    assert frame["confidence"].isna().all()


def test_ids_stay_whatever_is_wished(mask, tmp_path):
    plain = polygonize(mask, tmp_path / "a.gpkg").frame.set_index("polygon_id")
    wished = polygonize(mask, tmp_path / "b.fgb", min_area_m2=300, simplify_m=5).frame.set_index("polygon_id")
    assert (plain.loc[wished.index, "class_name"] == wished["class_name"]).mean() > 0.9


@pytest.mark.parametrize("per_class", [True, False], ids=["a band per class", "one band"])
def test_confidence_is_the_mean_probability_of_the_polygons_class(mask, tmp_path, per_class):
    values = np.random.default_rng(0).integers(0, 255, (4 if per_class else 1, *MASK.shape)).astype(np.uint8)
    order = [2, 0, 3, 1] if per_class else [0]
    names = [LEGEND.names[k] for k in order] if per_class else ["confidence"]
    sure = write(tmp_path / "sure.tif", values[order], names=names, scale=1 / 254)
    frame = polygonize(mask, tmp_path / "a.gpkg", confidence=sure).frame
    of_class = np.take_along_axis(values, MASK[None].astype(np.int64), axis=0)[0] if per_class else values[0]
    for row in frame.sample(20, random_state=0).itertuples():
        inside = rasterize([row.geometry], MASK.shape, transform=FIVE_METRES) == 1
        assert row.confidence == pytest.approx(of_class[inside].mean() / 254, abs=1e-5)


def test_confidence_must_lie_on_the_masks_grid_and_have_its_classes(mask, tmp_path):
    elsewhere = write(tmp_path / "b.tif", MASK, transform=Affine(5, 0, 0, 0, -5, 0), scale=1 / 254)
    with pytest.raises(GridMismatch, match="different grids"):
        polygonize(mask, tmp_path / "a.gpkg", confidence=elsewhere)
    three = write(tmp_path / "c.tif", np.stack([MASK] * 3), scale=1 / 254)
    with pytest.raises(SceneError, match="3 bands"):
        polygonize(mask, tmp_path / "a.gpkg", confidence=three)


def test_all_wishes_keep_a_valid_coverage(mask, tmp_path):
    wishes = {"fill_holes_m2": 500, "min_area_m2": 500, "simplify_m": 6, "smooth": True}
    frame = polygonize(mask, tmp_path / "a.parquet", **wishes).frame
    assert valid_coverage(frame)
    assert frame.area.sum() == pytest.approx(300 * 300, rel=0.01)
    assert frame["area_m2"].sum() == pytest.approx(300 * 300, rel=0.01)


def test_right_angles_keep_a_valid_coverage_of_the_same_ground(mask, tmp_path):
    frame = polygonize(mask, tmp_path / "a.gpkg", min_area_m2=500, orthogonalize=["roof"]).frame
    assert valid_coverage(frame)
    assert frame.area.sum() == pytest.approx(300 * 300, rel=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_layers_from_files_are_generalised_like_masks(mask, tmp_path, suffix):
    source = polygonize(mask, tmp_path / f"a{suffix}").path
    wishes = {"min_area_m2": 400, "simplify_m": 6, "smooth": True}
    frame = polygonize(source, tmp_path / "b.gpkg", **wishes).frame
    straight = polygonize(mask, tmp_path / "c.gpkg", **wishes).frame.to_crs(frame.crs)
    assert valid_coverage(frame)
    assert len(frame) == len(straight)
    ours, theirs = (shapely.union_all(each.geometry).area for each in (frame, straight))
    assert ours == pytest.approx(theirs, rel=1e-3 if suffix != ".geojson" else 0.02)  # whose edges slant, in degrees


def test_layers_of_other_programs_keep_their_columns(tmp_path):
    boxes = [shapely.box(0, 0, 10, 10), shapely.box(10, 0, 12, 1), shapely.Point(5, 5)]
    other = gpd.GeoDataFrame({"kind": ["field", "speck", "pin"]}, geometry=boxes, crs="EPSG:32633")
    other.to_file(tmp_path / "other.gpkg")
    layer = polygonize(tmp_path / "other.gpkg", min_area_m2=5)
    assert layer.path.name == "other_polygons.gpkg"
    assert layer.frame["kind"].tolist() == ["field"]
    assert any("class of its own" in note for note in layer.notes)
    with pytest.raises(LayerError, match="class_name"):
        polygonize(tmp_path / "other.gpkg", tmp_path / "a.gpkg", classes=["field"])


def test_small_holes_of_layers_are_filled_with_what_lies_in_them(tmp_path):
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6))
    frame = gpd.GeoDataFrame({"class_name": ["a", "b"]}, geometry=[ring, shapely.box(4, 4, 6, 6)], crs="EPSG:32633")
    frame.to_parquet(tmp_path / "in.parquet")
    found = polygonize(tmp_path / "in.parquet", tmp_path / "a.gpkg", fill_holes_m2=5).frame
    assert found["class_name"].tolist() == ["a"]
    assert found.area.tolist() == [100]


def test_dissolved_there_is_one_polygon_per_class(mask, tmp_path):
    frame = polygonize(mask, tmp_path / "a.gpkg", dissolve=True).frame
    assert sorted(frame["class_name"]) == sorted(LEGEND.names)
    assert valid_coverage(frame)
    counts = np.bincount(MASK.ravel()) * 25
    assert frame.set_index("class_index").area.sort_index().tolist() == pytest.approx(counts.tolist())


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


def test_what_is_appended_comes_in_the_files_crs(mask, tmp_path):
    path = tmp_path / "a.gpkg"
    polygonize(mask, path, crs="EPSG:3857")
    both = polygonize(mask, path, append=True)
    assert both.frame.crs == "EPSG:3857"
    half = len(both)
    assert both.frame.iloc[:half].area.sum() == pytest.approx(both.frame.iloc[half:].area.sum())
    assert pyogrio.read_dataframe(path, layer="layer_styles").shape[0] == 1


def test_only_what_fits_is_appended(mask, tmp_path):
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:32633").to_file(tmp_path / "other.gpkg")
    with pytest.raises(LayerError, match="no column"):
        polygonize(mask, tmp_path / "other.gpkg", append=True)
    polygonize(mask, tmp_path / "a.gpkg")
    with pytest.raises(LayerError, match="one part"):
        polygonize(mask, tmp_path / "a.gpkg", append=True, connectivity=8)
    with pytest.raises(ConfigError, match="either overwritten or appended"):
        polygonize(mask, tmp_path / "a.gpkg", append=True, overwrite=True)
    with pytest.raises(ConfigError, match="per class"):
        polygonize(mask, tmp_path / "a.gpkg", append=True, per_class=True)


def test_coordinates_come_in_the_crs_wished_for_and_areas_stay(mask, tmp_path):
    own = polygonize(mask, tmp_path / "a.gpkg").frame
    other = polygonize(mask, tmp_path / "b.gpkg", crs="EPSG:3857").frame
    assert other.crs == "EPSG:3857"
    assert other["area_m2"].tolist() == own["area_m2"].tolist()
    assert valid_coverage(other)
    with pytest.raises(ConfigError, match="no CRS"):
        polygonize(mask, tmp_path / "c.gpkg", crs="EPSG:nonsense")
    with pytest.raises(ConfigError, match="longitude and latitude"):
        polygonize(mask, tmp_path / "c.geojson", crs="EPSG:3857")


def test_shapefiles_limits_are_said(mask, tmp_path):
    layer = polygonize(mask, tmp_path / "a.shp")
    assert any("2 GB" in note for note in layer.notes)
    assert {"polygon_id", "class_id", "class_name", "area_m2", "perim_m", "confidence", "source", "model"} <= set(
        layer.frame
    )
    assert sorted(path.suffix for path in tmp_path.glob("a.*")) == [".cpg", ".dbf", ".prj", ".shp", ".shx"]


def test_an_empty_mask_is_an_empty_layer_with_the_schema_and_a_note(tmp_path):
    path = write(tmp_path / "empty.tif", np.full((8, 8), 255, np.uint8))
    layer = polygonize(path, tmp_path / "a.gpkg", min_area_m2=3, fill_holes_m2=2, simplify_m=1)
    assert len(layer) == len(layer.frame) == 0
    assert "class_name" in layer.frame
    assert any("empty" in note for note in layer.notes)


def test_a_truncated_mask_is_a_sentence_and_leaves_nothing(tmp_path):
    path = write(tmp_path / "mask.tif", np.random.default_rng(0).integers(0, 4, (600, 600)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:150_000])
    with pytest.raises(SceneError) as caught:
        polygonize(path, tmp_path / "a.gpkg")
    assert caught.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["mask.tif"]


def test_nothing_replaces_itself_and_text_is_no_layer(mask, tmp_path):
    with pytest.raises(OutputError, match="replace itself"):
        polygonize(polygonize(mask, tmp_path / "a.fgb").path, tmp_path / "a.fgb", overwrite=True)
    (tmp_path / "text.geojson").write_text("no layer")
    with pytest.raises(LayerError, match="cannot be read as polygons"):
        polygonize(tmp_path / "text.geojson", tmp_path / "b.gpkg")
    with pytest.raises(ConfigError, match="polygons already"):
        polygonize(tmp_path / "a.fgb", tmp_path / "b.gpkg", confidence=mask)


@pytest.mark.parametrize("unknown", ["rof", "roads"])
def test_unknown_classes_are_said_with_the_nearest(mask, tmp_path, unknown):
    for wish in ({"classes": [unknown]}, {"orthogonalize": [unknown]}):
        with pytest.raises(ConfigError, match=unknown) as caught:
            polygonize(mask, tmp_path / "a.gpkg", **wish)
        assert "did you mean" in caught.value.hint
