"""Label polygons that touch no scene of a split are an error with a reason; one empty scene among many is fine."""

import geopandas as gpd
import pytest
import shapely
from helpers.prepared import labelled_folder
from helpers.rasters import UTM, noise

from geoseg.config.recipe import DataSection
from geoseg.data.preparation.prepare import prepare
from geoseg.data.preparation.validate_labels import validate_labels
from geoseg.errors import DataError, LayerError

LEFT, TOP, SIZE = UTM["transform"].c, UTM["transform"].f, UTM["transform"].a
INSIDE = shapely.box(LEFT + 2 * SIZE, TOP - 8 * SIZE, LEFT + 9 * SIZE, TOP - 2 * SIZE)
BESIDE = shapely.box(LEFT + 1000, TOP, LEFT + 1010, TOP + 10)


def section(root, **shapes):
    """Images a, b, c with a layer of polygons each; a and b are for training, c for validation."""
    for number, (name, shape) in enumerate(shapes.items()):
        labelled_folder(root, names=(name,), image=noise(3, 12, 16, low=1) // (number + 1) + 1)
        frame = gpd.GeoDataFrame({"kind": ["roof"] * len(shape)}, geometry=shape, crs=UTM["crs"])
        frame.to_file(root / f"labels/{name}.gpkg")
    return DataSection.model_validate(
        {
            "root": root, "prepared": root / "prepared", "images": "images/{name}.tif", "labels": "labels/{name}.gpkg",
            "legend": ["ground", "roof"], "background": "ground", "column": "kind",
            "splits": {"train": ["a", "b"], "val": ["c"]},
        }
    )  # fmt: skip


def errors_of(data):
    report = validate_labels(data)
    return [*report.errors, *(error for scene in report.scenes for error in scene.errors)]


def test_one_scene_without_polygons_among_many_is_fine(tmp_path):
    data = section(tmp_path, a=[INSIDE], b=[BESIDE], c=[INSIDE])
    assert errors_of(data) == []
    assert [scene.touches for scene in prepare(data, "x").all_scenes] == [True, False, True]


@pytest.mark.parametrize(
    ("shapes", "split"),
    [({"a": [BESIDE], "b": [BESIDE], "c": [INSIDE]}, "train"), ({"a": [INSIDE], "b": [INSIDE], "c": [BESIDE]}, "val")],
)
def test_a_split_without_a_touching_polygon_is_an_error(tmp_path, shapes, split):
    data = section(tmp_path, **shapes)
    expected = f"no label polygon touches a scene of the split {split}: no polygon of"
    (found,) = errors_of(data)
    assert found.startswith(expected)
    with pytest.raises(DataError, match=expected) as caught:
        prepare(data, "x")
    assert caught.value.hint
    with pytest.raises(DataError, match=expected):
        prepare(data, "x")  # scenes that are converted already say so, too


def test_layers_without_features_are_empty_on_purpose(tmp_path):
    assert errors_of(section(tmp_path, a=[INSIDE], b=[INSIDE], c=[])) == []


def test_coordinates_that_cannot_be_degrees_are_an_error_at_once(tmp_path):
    data = section(tmp_path, a=[INSIDE], b=[INSIDE], c=[INSIDE])
    gpd.GeoDataFrame({"kind": ["roof"]}, geometry=[INSIDE], crs=4326).to_file(tmp_path / "labels/b.gpkg")
    with pytest.raises(LayerError, match="seem to be in EPSG:32633"):
        prepare(data, "x")


def test_what_was_left_out_is_said_once(tmp_path, caplog):
    pin = shapely.Point(LEFT + SIZE, TOP - SIZE)
    data = section(tmp_path, a=[INSIDE, pin], b=[INSIDE], c=[INSIDE])
    remark = f"{tmp_path}/labels/a.gpkg: left out 1 feature (1 point)"
    assert remark in validate_labels(data).remarks
    caplog.clear()
    prepare(data, "x")
    assert caplog.text.count(remark) == 1
