import geopandas as gpd
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box
from strategies_raster import UTM, make_raster, noise

from geoseg.errors import ConfigError, DataError, GridMismatch, SceneError
from geoseg.evaluation import evaluation
from geoseg.evaluation.mask import evaluate_mask
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix

LEGEND = Legend.of({"field": "#00ff00", "town": "#ff0000", "water": "#0000ff"})


def write(path, values, **profile):
    tags = profile.pop("legend", None)
    make_raster(path, np.asarray(values, np.uint8)[None], **{**UTM, "nodata": 255, **profile})
    if tags is not None:
        with rasterio.open(path, "r+") as file:
            file.update_tags(GEOSEG_CLASSES=tags.to_json())
    return path


def expected(mask, reference):
    counts = ConfusionMatrix(len(LEGEND))
    counts.update(np.asarray(mask, np.uint8), np.asarray(reference, np.uint8))
    return counts


@pytest.fixture
def mask(tmp_path):
    return write(tmp_path / "mask.tif", noise(50, 40, high=3), legend=LEGEND)


def test_a_mask_against_itself_is_perfect(mask):
    evaluation = evaluate_mask(mask, mask)
    assert evaluation.total.mean_iou == 1
    assert evaluation.legend == LEGEND
    assert evaluation.total.counts.sum() == 50 * 40


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 60))
def test_counts_do_not_depend_on_how_the_mask_is_cut(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("cut")
    predicted, reference = noise(50, 40, high=3), noise(50, 40, high=4) % 4
    reference = np.where(reference == 3, 255, reference)
    paths = [write(folder / f"{n}.tif", v, legend=LEGEND) for n, v in enumerate((predicted, reference))]
    original, evaluation.STRIP_ROWS = evaluation.STRIP_ROWS, rows
    try:
        assert np.array_equal(evaluate_mask(*paths).total.counts, expected(predicted, reference).counts)
    finally:
        evaluation.STRIP_ROWS = original


def test_nodata_of_the_mask_counts_as_missed_and_of_the_reference_not_at_all(tmp_path):
    mask = write(tmp_path / "mask.tif", [[0, 255, 1]], legend=LEGEND)
    reference = write(tmp_path / "reference.tif", [[0, 0, 255]])
    total = evaluate_mask(mask, reference).total
    assert total.counts.sum() == 1
    assert total.missed.tolist() == [1, 0, 0]


def test_classes_are_matched_by_name_where_the_reference_has_a_legend(tmp_path, mask):
    other = Legend.of({"water": None, "field": None, "town": None})
    values = LEGEND.mapping_to(other)[noise(50, 40, high=3)]
    reference = write(tmp_path / "reference.tif", values, legend=other)
    assert evaluate_mask(mask, reference).total.mean_iou == 1


def test_a_coloured_reference_is_matched_by_colour(tmp_path, mask):
    drawn = LEGEND.draw(noise(50, 40, high=3)).transpose(2, 0, 1)
    reference = make_raster(tmp_path / "reference.tif", drawn, **UTM)
    assert evaluate_mask(mask, reference).total.mean_iou == 1


def test_polygons_in_another_crs_are_drawn_on_the_masks_grid(tmp_path):
    values = np.zeros((40, 40), np.uint8)
    values[10:20, 5:25] = 2
    mask = write(tmp_path / "mask.tif", values, legend=LEGEND)
    left, top, size = UTM["transform"].c, UTM["transform"].f, UTM["transform"].a
    pond = box(left + 5 * size, top - 20 * size, left + 25 * size, top - 10 * size)
    frame = gpd.GeoDataFrame({"kind": ["water"]}, geometry=[pond], crs=UTM["crs"]).to_crs(4326)
    frame.to_file(tmp_path / "ponds.geojson")
    by_name = evaluate_mask(mask, tmp_path / "ponds.geojson", column="kind", background="field")
    by_class = evaluate_mask(mask, tmp_path / "ponds.geojson", polygon_class="water", background="field")
    assert by_name.total.mean_iou == by_class.total.mean_iou == 1
    assert by_name.total.counts.sum() == 1600


def test_a_reference_that_labels_nothing_is_refused(tmp_path, mask):
    with pytest.raises(DataError, match="labels no pixel"):
        evaluate_mask(mask, write(tmp_path / "empty.tif", np.full((50, 40), 255)))


def test_another_grid_is_refused(tmp_path, mask):
    with pytest.raises((GridMismatch, DataError), match="50"):
        evaluate_mask(mask, write(tmp_path / "small.tif", noise(49, 40, high=3)))


def test_a_value_that_is_no_class_of_the_mask_is_refused_and_named(tmp_path, mask):
    with pytest.raises(DataError, match="7"):
        evaluate_mask(mask, write(tmp_path / "odd.tif", np.full((50, 40), 7)))


def test_an_image_is_no_mask(tmp_path):
    image = make_raster(tmp_path / "image.tif", noise(3, 20, 20), **UTM)
    with pytest.raises(SceneError, match="no mask"):
        evaluate_mask(image, image)


def test_options_for_polygons_are_refused_with_a_raster(mask):
    with pytest.raises(ConfigError, match="raster"):
        evaluate_mask(mask, mask, column="kind")
