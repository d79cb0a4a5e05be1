"""From the file of a mask to the file of its polygons, with all options."""

import contextlib
import subprocess
import sys
from functools import partial

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from helpers.rasters import UTM, make_raster
from helpers.vectors import FIVE_METRES, LEGEND, smooth_mask, valid_coverage, write_mask, write_predicted_mask
from rasterio.control import GroundControlPoint
from rasterio.features import rasterize

from geoseg.errors import ConfigError, GeosegError, GridMismatch, LayerError, OutputError, SceneError
from geoseg.raster.scene import Scene
from geoseg.vector.polygonize import polygonize

SMALL_MASK = np.array([[0, 0, 1], [0, 255, 1], [3, 3, 1]], np.uint8)
MASK = smooth_mask(60)
SUFFIXES = [".gpkg", ".parquet", ".fgb", ".geojson", ".shp"]


@pytest.fixture
def write(tmp_path):
    return partial(write_mask, tmp_path / "mask.tif")


@pytest.fixture
def mask(tmp_path):
    return write_predicted_mask(tmp_path / "mask.tif", MASK)


def test_the_layer_is_written_and_returned(write):
    path = write(SMALL_MASK, tags={"GEOSEG_CLASSES": LEGEND.to_json()})
    layer = polygonize(path, path.with_suffix(".gpkg"))
    back = pyogrio.read_dataframe(path.with_suffix(".gpkg"), layer="polygons")
    assert layer.frame["class_name"].tolist() == back["class_name"].tolist() == ["water", "forest", "roof"]
    assert (len(layer), layer.path, layer.notes) == (3, path.with_suffix(".gpkg"), ())


def test_without_a_legend_classes_are_called_by_their_values(write, tmp_path):
    layer = polygonize(write(SMALL_MASK, nodata=255), tmp_path / "a.fgb")
    assert sorted(layer.frame["class_name"]) == ["0", "1", "3"]
    assert "no legend" in layer.notes[0]


def test_nodata_is_left_out(write, tmp_path):
    layer = polygonize(write(SMALL_MASK, nodata=3), tmp_path / "a.gpkg")
    assert sorted(layer.frame["class_index"]) == [0, 1, 255]
    assert any("--ignore 255" in note for note in layer.notes)


def test_small_polygons_without_a_neighbor_are_counted(write, tmp_path):
    """They were removed without a note."""
    pixels = np.full((9, 9), 255, np.uint8)
    pixels[3:8, 3:8], pixels[5, 5], pixels[1, 1], pixels[1, 7] = 0, 2, 1, 2
    path = write(pixels, nodata=255)
    note = "polygons removed, because they are smaller than {area:g} m2 and have no neighbor: 2"
    area = 3 * FIVE_METRES.a**2
    traced = polygonize(path, tmp_path / "traced.gpkg", min_area_m2=area)
    polygonize(path, tmp_path / "all.gpkg")
    again = polygonize(tmp_path / "all.gpkg", tmp_path / "again.gpkg", min_area_m2=area)
    right = polygonize(path, min_area_m2=area, orthogonalize=["0"])
    for polygons in (traced, again, right):
        assert len(polygons.frame) == 1
        assert note.format(area=area) in polygons.notes
    assert not any("removed" in said for said in polygonize(path, min_area_m2=1).notes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize(
    ("nodata", "ignore", "left_out"),
    [(None, [], []), (0, [], [0]), (255, [], [255]), (0, ["none"], []), (0, ["255"], [0, 255]), (None, ["1"], [1])],
)
def test_only_nodata_and_ignored_values_are_left_out(write, tmp_path, dtype, nodata, ignore, left_out):
    """Areas in pixels of 25 square meters, by value, as counted by NumPy."""
    values = np.random.default_rng(0).choice([0, 1, 2, 255], (40, 30)).astype(dtype)
    layer = polygonize(write(values, nodata=nodata), tmp_path / "a.gpkg", ignore=ignore)
    pixels = (layer.frame.area / 25).groupby(layer.frame["class_index"]).sum().round().astype(int).to_dict()
    assert pixels == {v: (values == v).sum() for v in np.unique(values) if v not in left_out}
    assert set(layer.frame["class_name"]) == {str(value) for value in pixels}


def test_bytes_that_use_every_value_are_a_mask(write):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert sorted(polygonize(write(values)).frame["class_index"]) == list(range(256))


def test_255_is_no_class_in_masks_of_geoseg(write):
    mask = write(SMALL_MASK, tags={"GEOSEG_CLASSES": LEGEND.to_json()})
    assert polygonize(mask).frame["class_index"].tolist() == [0, 1, 3]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint32])
def test_wider_integers_are_masks_too(write, tmp_path, dtype):
    values = np.where(SMALL_MASK == 255, 0, SMALL_MASK).astype(dtype)
    assert polygonize(write(values), tmp_path / "a.gpkg").frame["class_index"].tolist() == [0, 1, 3]


def test_values_that_are_no_class_indices_are_named_and_noted(write, tmp_path):
    layer = polygonize(write(np.array([[-5, 70_000]], np.int32)), tmp_path / "a.gpkg")
    assert layer.frame["class_name"].tolist() == ["-5", "70000"]
    assert "layer_styles" not in pyogrio.list_layers(layer.path)
    assert "not class indices" in layer.notes[0]


def test_values_beyond_the_legend_are_noted(write, tmp_path):
    layer = polygonize(
        write(np.array([[0, 9]], np.uint8), tags={"GEOSEG_CLASSES": LEGEND.to_json()}), tmp_path / "a.gpkg"
    )
    assert layer.frame["class_name"].tolist() == ["water", "9"]
    assert "not in its legend of 4 classes" in layer.notes[0]


def test_all_options_together(write, tmp_path):
    path = write(smooth_mask(80), tags={"GEOSEG_CLASSES": LEGEND.to_json()})
    plain = polygonize(path, tmp_path / "a.gpkg")
    changed = polygonize(
        path, tmp_path / "b.gpkg", connectivity=8, min_area_m2=500, simplify_m=5, classes=["water", "roof"]
    )
    assert 0 < len(changed) < len(plain)
    assert set(changed.frame["class_name"]) == {"water", "roof"}


@pytest.mark.parametrize(
    "options",
    [{}, {"min_area_m2": 300, "fill_holes_m2": 600, "simplify_m": 8}, {"connectivity": 8, "smooth": True}],
    ids=["exact", "generalised", "smooth"],
)
def test_strips_leave_no_trace_in_the_file(write, tmp_path, monkeypatch, options):
    monkeypatch.setattr("geoseg.vector.mask_source.STRIP_PIXELS", 1)
    monkeypatch.setattr("geoseg.vector.tracing.trace_raster.STRIPS_PER_ASSEMBLY", 2)
    path = write(smooth_mask(100), tiled=True, blockxsize=16, blockysize=16)
    cut = polygonize(path, tmp_path / "a.gpkg", **options)
    monkeypatch.undo()
    whole = polygonize(path, tmp_path / "b.gpkg", **options)
    assert cut.frame.equals(whole.frame)


def test_progress_counts_every_strip(write, tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.vector.mask_source.STRIP_PIXELS", 1)
    seen = []

    class Counting:
        def __call__(self, total, _description):
            seen.append(total)
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def advance(self, steps=1):
            seen.append(steps)

    path = write(smooth_mask(48), tiled=True, blockxsize=16, blockysize=16)
    polygonize(path, tmp_path / "a.gpkg", progress=Counting())
    assert seen == [3, 1, 1, 1]


def test_an_open_scene_is_taken_too(write, tmp_path):
    with Scene.open(write(SMALL_MASK)) as scene:
        assert len(polygonize(scene, tmp_path / "a.gpkg", ignore=["255"])) == 3
        assert len(polygonize(scene, ignore=["none"])) == 4
        assert scene.read(scene.grid.window).valid.all()


def test_an_empty_mask_gives_an_empty_layer(write, tmp_path):
    assert len(polygonize(write(np.full((4, 4), 255, np.uint8), nodata=255), tmp_path / "a.gpkg")) == 0
    assert len(pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="polygons")) == 0


def test_a_mask_without_crs_stays_in_its_own_coordinates_with_a_note(write, tmp_path):
    layer = polygonize(write(SMALL_MASK, crs=None, transform=Affine(1, 0, 0, 0, -1, 3)), tmp_path / "a.gpkg")
    assert any("no CRS" in note for note in layer.notes)
    assert layer.frame.total_bounds.tolist() == [0, 0, 3, 3]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_mask_placed_by_points_is_in_pixels_with_a_note(write, tmp_path):
    points = [GroundControlPoint(row, col, 10 + col, 50 - row) for row, col in ((0, 0), (0, 3), (3, 0), (3, 3))]
    layer = polygonize(write(SMALL_MASK, transform=None, gcps=points), tmp_path / "a.gpkg")
    assert "ground control points" in layer.notes[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [(np.zeros((3, 4, 4), np.uint8), "3 bands"), (np.zeros((4, 4), np.float32), "float32")],
    ids=["image", "heights"],
)
def test_other_rasters_are_refused(write, tmp_path, values, words):
    with pytest.raises(SceneError, match=words):
        polygonize(write(values), tmp_path / "a.gpkg")
    assert not (tmp_path / "a.gpkg").exists()


def test_a_bad_output_is_an_error_before_the_work(write, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "geoseg.vector.polygonize_pipeline.trace_outlines", lambda *_, **__: pytest.fail("began to work")
    )
    with pytest.raises(OutputError, match="dxf"):
        polygonize(write(SMALL_MASK), tmp_path / "a.dxf")
    with pytest.raises(ConfigError, match="connectivity must be 4 or 8"):
        polygonize(write(SMALL_MASK), tmp_path / "a.gpkg", connectivity=6)


def test_polygonizing_imports_no_torch():
    modules = "geoseg.vector.polygonize, geoseg.vector.rasterize, geoseg.plotting.panels"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_polygons_say_where_they_come_from(mask, tmp_path):
    frame = polygonize(mask, tmp_path / "a.gpkg").frame
    assert set(frame["source"]) == {"town.tif"}
    assert set(frame["model"]) == {"town.safetensors"}
    assert frame["polygon_id"].is_unique
    assert frame["confidence"].isna().all()


def test_ids_do_not_depend_on_options(mask, tmp_path):
    plain = polygonize(mask, tmp_path / "a.gpkg").frame.set_index("polygon_id")
    changed = polygonize(mask, tmp_path / "b.fgb", min_area_m2=300, simplify_m=5).frame.set_index("polygon_id")
    assert (plain.loc[changed.index, "class_name"] == changed["class_name"]).mean() > 0.9


@pytest.mark.parametrize("per_class", [True, False], ids=["a band per class", "one band"])
def test_confidence_is_the_mean_probability_of_the_polygons_class(mask, tmp_path, per_class):
    values = np.random.default_rng(0).integers(0, 255, (4 if per_class else 1, *MASK.shape)).astype(np.uint8)
    order = [2, 0, 3, 1] if per_class else [0]
    names = [LEGEND.names[k] for k in order] if per_class else ["confidence"]
    sure = write_mask(tmp_path / "sure.tif", values[order], names=names, scale=1 / 254, nodata=255)
    frame = polygonize(mask, tmp_path / "a.gpkg", confidence=sure).frame
    of_class = np.take_along_axis(values, MASK[None].astype(np.int64), axis=0)[0] if per_class else values[0]
    for row in frame.sample(20, random_state=0).itertuples():
        inside = rasterize([row.geometry], MASK.shape, transform=FIVE_METRES) == 1
        assert row.confidence == pytest.approx(of_class[inside].mean() / 254, abs=1e-5)


def test_confidence_must_lie_on_the_masks_grid_and_have_its_classes(mask, tmp_path):
    elsewhere = write_mask(tmp_path / "b.tif", MASK, transform=Affine(5, 0, 0, 0, -5, 0), scale=1 / 254, nodata=255)
    with pytest.raises(GridMismatch, match="different grids"):
        polygonize(mask, tmp_path / "a.gpkg", confidence=elsewhere)
    three = write_mask(tmp_path / "c.tif", np.stack([MASK] * 3), scale=1 / 254, nodata=255)
    with pytest.raises(SceneError, match="3 bands"):
        polygonize(mask, tmp_path / "a.gpkg", confidence=three)


def test_all_options_keep_a_valid_coverage(mask, tmp_path):
    options = {"fill_holes_m2": 500, "min_area_m2": 500, "simplify_m": 6, "smooth": True}
    frame = polygonize(mask, tmp_path / "a.parquet", **options).frame
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
    options = {"min_area_m2": 400, "simplify_m": 6, "smooth": True}
    frame = polygonize(source, tmp_path / "b.gpkg", **options).frame
    straight = polygonize(mask, tmp_path / "c.gpkg", **options).frame.to_crs(frame.crs)
    assert valid_coverage(frame)
    assert len(frame) == len(straight)
    ours, theirs = (shapely.union_all(each.geometry).area for each in (frame, straight))
    assert ours == pytest.approx(theirs, rel=1e-3 if suffix != ".geojson" else 0.02)  # whose edges slant, in degrees


def test_layers_of_other_programs_keep_their_columns(tmp_path):
    boxes = [shapely.box(0, 0, 10, 10), shapely.box(10, 0, 12, 1), shapely.Point(5, 5)]
    other = gpd.GeoDataFrame({"kind": ["field", "speck", "pin"]}, geometry=boxes, crs="EPSG:32633")
    other.to_file(tmp_path / "other.gpkg")
    layer = polygonize(tmp_path / "other.gpkg", tmp_path / "other_polygons.gpkg", min_area_m2=5)
    assert layer.path.name == "other_polygons.gpkg"
    assert layer.frame["kind"].tolist() == ["field"]
    assert any("a separate class" in note for note in layer.notes)
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


def test_an_empty_mask_is_an_empty_layer_with_the_schema_and_a_note(tmp_path):
    path = write_predicted_mask(tmp_path / "empty.tif", np.full((8, 8), 255, np.uint8))
    layer = polygonize(path, tmp_path / "a.gpkg", min_area_m2=3, fill_holes_m2=2, simplify_m=1)
    assert len(layer) == len(layer.frame) == 0
    assert "class_name" in layer.frame
    assert any("empty" in note for note in layer.notes)


def test_a_truncated_mask_is_an_error_and_leaves_nothing(tmp_path):
    path = write_predicted_mask(
        tmp_path / "mask.tif", np.random.default_rng(0).integers(0, 4, (600, 600)).astype(np.uint8)
    )
    path.write_bytes(path.read_bytes()[:150_000])
    with pytest.raises(SceneError) as caught:
        polygonize(path, tmp_path / "a.gpkg")
    assert caught.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["mask.tif"]


def test_nothing_replaces_itself_and_text_is_not_a_layer(mask, tmp_path):
    with pytest.raises(OutputError, match="replace its source"):
        polygonize(polygonize(mask, tmp_path / "a.fgb").path, tmp_path / "a.fgb", overwrite=True)
    (tmp_path / "text.geojson").write_text("no layer")
    with pytest.raises(LayerError, match="cannot be read as polygons"):
        polygonize(tmp_path / "text.geojson", tmp_path / "b.gpkg")
    with pytest.raises(ConfigError, match="contains polygons, but"):
        polygonize(tmp_path / "a.fgb", tmp_path / "b.gpkg", confidence=mask)


@pytest.mark.parametrize("unknown", ["rof", "roads"])
def test_unknown_classes_are_errors_with_the_nearest_name(mask, tmp_path, unknown):
    for option in ({"classes": [unknown]}, {"orthogonalize": [unknown]}):
        with pytest.raises(ConfigError, match=unknown) as caught:
            polygonize(mask, tmp_path / "a.gpkg", **option)
        assert "did you mean" in caught.value.hint


@pytest.mark.parametrize("name", ["a;b", "&amp;", "new\nline", "tab\t", 'quote"s'])
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet"])
def test_file_names_with_characters_that_gdal_drops(tmp_path, name, suffix):
    mask = make_raster(tmp_path / "mask.tif", np.array([[[1, 2], [1, 1]]], np.uint8), **UTM)
    (tmp_path / "out").mkdir()
    polygonize(mask, tmp_path / "out" / f"{name}{suffix}")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{name}{suffix}"]


def test_an_output_that_links_to_itself_is_an_error_or_replaced(tmp_path):
    mask = make_raster(tmp_path / "mask.tif", np.array([[[1, 2], [1, 1]]], np.uint8), **UTM)
    (tmp_path / "loop.gpkg").symlink_to("loop.gpkg")
    with contextlib.suppress(GeosegError):
        assert len(polygonize(mask, tmp_path / "loop.gpkg", overwrite=True).frame) == 2


def test_a_mask_in_a_geocentric_crs_has_polygons_without_areas(tmp_path):
    place = {"crs": "EPSG:4978", "transform": UTM["transform"]}
    mask = make_raster(tmp_path / "mask.tif", np.array([[[1, 2], [1, 1]]], np.uint8), **place)
    assert polygonize(mask).frame["area_m2"].isna().all()
