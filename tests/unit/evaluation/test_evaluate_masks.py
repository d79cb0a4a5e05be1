import tracemalloc

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import calculate_default_transform, reproject
from shapely.geometry import box

from geoseg.errors import ConfigError, DataError, GridMismatch, LayerError, SceneError
from geoseg.evaluation import accumulate_counts as counting
from geoseg.evaluation.evaluate import evaluate
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix

LEGEND = Legend.of({"field": "#00ff00", "town": "#ff0000", "water": "#0000ff"})


def evaluate_mask(mask, reference, **options):
    return evaluate(mask=mask, reference=reference, **options)


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


def moved(step):
    """The usual transform after a step in pixels."""
    return Affine(*(np.reshape([*UTM["transform"]], (3, 3)) @ np.reshape([*step], (3, 3))).ravel()[:6])


def same(one, other):
    return np.array_equal(one.counts, other.counts) and np.array_equal(one.missed, other.missed)


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
    original, counting.STRIP_ROWS = counting.STRIP_ROWS, rows
    try:
        assert np.array_equal(evaluate_mask(*paths).total.counts, expected(predicted, reference).counts)
    finally:
        counting.STRIP_ROWS = original


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
    with pytest.raises(DataError, match=r"no pixel of .* is labeled"):
        evaluate_mask(mask, write(tmp_path / "empty.tif", np.full((50, 40), 255)))


def test_another_grid_is_refused_and_the_flag_is_named(tmp_path, mask):
    with pytest.raises(GridMismatch, match="different grids: 50 x 40 pixels and 49 x 40") as caught:
        evaluate_mask(mask, write(tmp_path / "small.tif", noise(49, 40, high=3)))
    assert "--resample" in caught.value.hint


@pytest.mark.parametrize("factor", [0.5, 2])
def test_another_grid_is_looked_up_pixel_by_pixel_if_requested(tmp_path, mask, factor):
    """A reference in finer pixels of the same ground says the same; in coarser ones, what lies under each centre."""
    size = UTM["transform"].a
    grid = {"transform": moved(Affine.scale(factor)), "crs": UTM["crs"]}
    values = noise(50, 40, high=3)
    other = values.repeat(2, 0).repeat(2, 1) if factor < 1 else values[::2, ::2]
    reference = write(tmp_path / "other.tif", other, legend=LEGEND, **grid)
    total = evaluate_mask(mask, reference, resample=True).total
    assert size * factor != size
    assert same(total, expected(values, values if factor < 1 else other.repeat(2, 0).repeat(2, 1)))


def test_a_reference_in_another_crs_is_looked_up_through_it(tmp_path):
    values = np.zeros((60, 60), np.uint8)
    values[20:40, 20:40] = 1
    mask = write(tmp_path / "mask.tif", values, legend=LEGEND)
    with rasterio.open(mask) as file:
        transform, width, height = calculate_default_transform(file.crs, "EPSG:4326", 60, 60, *file.bounds)
        warped = np.full((height, width), 255, np.uint8)
        reproject(values, warped, src_transform=file.transform, src_crs=file.crs, dst_transform=transform,
                  dst_crs="EPSG:4326", init_dest_nodata=True, dst_nodata=255, src_nodata=254)  # fmt: skip
    reference = write(tmp_path / "warped.tif", warped, legend=LEGEND, crs="EPSG:4326", transform=transform)
    total = evaluate_mask(mask, reference, resample=True).total
    assert total.overall_accuracy > 0.97
    assert total.in_reference.sum() > 0.97 * values.size


def test_what_lies_outside_a_reference_does_not_count(tmp_path, mask):
    part = {"transform": moved(Affine.translation(10, 20)), "crs": UTM["crs"]}
    reference = write(tmp_path / "part.tif", noise(50, 40, high=3)[20:35, 10:30], legend=LEGEND, **part)
    total = evaluate_mask(mask, reference, resample=True).total
    assert (total.counts.sum(), total.mean_iou) == (15 * 20, 1)


def test_a_reference_without_crs_is_compared_by_its_transform(tmp_path, mask):
    """30 m off is another grid; half a pixel is the rounding of a world file; without transform, the size decides."""
    values, size = noise(50, 40, high=3), UTM["transform"].a
    for name, crs, transform in (
        ("same", None, UTM["transform"]),
        ("rounded", None, moved(Affine.translation(0.3, -0.3))),
        ("nowhere", None, Affine.identity()),
    ):
        reference = write(tmp_path / f"{name}.tif", values, crs=crs, transform=transform)
        assert evaluate_mask(mask, reference).total.mean_iou == 1
    far = write(tmp_path / "far.tif", values, crs=None, transform=moved(Affine.translation(30 / size, 0)))
    for pair in ((mask, far), (far, mask)):
        with pytest.raises(GridMismatch, match="corners"):
            evaluate_mask(*pair)
    with pytest.raises(GridMismatch, match="corners"):
        evaluate_mask(mask, mask, confidence=far)


def test_without_a_crs_nothing_can_be_looked_up(tmp_path, mask):
    reference = write(tmp_path / "lost.tif", noise(49, 40, high=3), crs=None)
    with pytest.raises(GridMismatch, match="has no CRS and cannot be resampled"):
        evaluate_mask(mask, reference, resample=True)


@pytest.fixture
def folders(tmp_path):
    """Masks ``a_mask`` and ``b_mask`` with references ``a`` and ``b_label``; b is wrong in all its 12 pixels."""
    for folder in ("masks", "right"):
        (tmp_path / folder).mkdir()
    for name, right in (("a", "a"), ("b", "b_label")):
        write(tmp_path / "masks" / f"{name}_mask.tif", np.zeros((3, 4)), legend=LEGEND)
        write(tmp_path / "right" / f"{right}.tif", np.full((3, 4), "ab".index(name)), legend=LEGEND)
    return tmp_path


@pytest.mark.parametrize(("masks", "right"), [("masks", "right"), ("masks/*_mask.tif", "right/*.tif")])
def test_folders_and_patterns_go_together_by_name_and_add_up(folders, masks, right):
    evaluation = evaluate_mask(folders / masks, folders / right)
    assert [scene.name for scene in evaluation.scenes] == ["a", "b"]
    assert evaluation.total.overall_accuracy == 0.5
    assert evaluation.counts_by_scene(evaluation.protocol)["a"].overall_accuracy == 1
    low, high = evaluation.intervals(evaluation.protocol)["overall_accuracy"]
    assert (low, high) == (0, 1)


def test_a_missing_reference_is_named(folders):
    (folders / "right" / "a.tif").unlink()
    with pytest.raises(DataError, match="has no reference for a_mask"):
        evaluate_mask(folders / "masks", folders / "right")


def test_one_file_of_polygons_is_the_reference_of_many_masks(folders):
    left, top = UTM["transform"].c, UTM["transform"].f
    gpd.GeoDataFrame(geometry=[box(left, top - 9, left + 9, top)], crs=UTM["crs"]).to_file(folders / "all.geojson")
    total = evaluate_mask(folders / "masks", folders / "all.geojson", polygon_class="field").total
    assert (total.counts[0, 0], total.counts.sum()) == (24, 24)


def test_masks_with_legends_in_other_orders_are_matched_by_name(folders):
    other = Legend.of({"water": None, "town": None, "field": None})
    write(folders / "masks" / "b_mask.tif", np.full((3, 4), 2), legend=other)
    assert evaluate_mask(folders / "masks", folders / "right").total.counts[1, 0] == 12


@pytest.mark.parametrize("bands", [["confidence"], ["field", "town", "water"]])
def test_confidences_and_probabilities_tell_the_calibration(tmp_path, bands):
    mask = write(tmp_path / "mask.tif", [[0, 0, 0, 255]], legend=LEGEND)
    reference = write(tmp_path / "reference.tif", [[0, 1, 255, 0]], legend=LEGEND)
    levels = np.zeros((len(bands), 1, 4), np.uint8)
    levels[0] = [254, 127, 254, 255]
    levels[:, 0, 3] = 255
    sure = make_raster(tmp_path / "sure.tif", levels, **UTM, nodata=255)
    with rasterio.open(sure, "r+") as file:
        file.descriptions = bands
    calibration = evaluate_mask(mask, reference, confidence=sure).calibration
    assert calibration.pixels == 2
    assert calibration.error() == pytest.approx((0 + 0.5) / 2)


def test_borders_and_objects_are_counted_in_metres_and_things(tmp_path):
    values = np.zeros((30, 30), np.uint8)
    values[5:15, 5:15] = 1
    mask = write(tmp_path / "mask.tif", np.roll(values, 2, axis=1), legend=LEGEND)
    reference = write(tmp_path / "reference.tif", values, legend=LEGEND)
    far, near = (evaluate_mask(mask, reference, boundary_m=m, objects=["town"]) for m in (0.5, 1.0))
    assert far.boundary.f1()[1] < near.boundary.f1()[1] == 1
    assert (far.objects.matched[1], far.objects.f1()[1]) == (1, 1)


def test_a_tolerance_in_metres_wants_to_know_metres(tmp_path):
    mask = write(tmp_path / "mask.tif", noise(9, 9, high=3), crs=None)
    with pytest.raises(ConfigError, match="no CRS") as caught:
        evaluate_mask(mask, mask, boundary_m=1)
    assert "--gsd" in caught.value.hint
    assert evaluate_mask(mask, mask, boundary_m=1, gsd=0.5).boundary is not None
    with pytest.raises(ConfigError, match="invalid boundary tolerance of 0 m"):
        evaluate_mask(mask, mask, boundary_m=0)


def test_a_value_that_is_no_class_of_the_mask_is_refused_and_named(tmp_path, mask):
    with pytest.raises(DataError, match="7"):
        evaluate_mask(mask, write(tmp_path / "odd.tif", np.full((50, 40), 7)))


def test_what_means_not_labelled_can_be_named(tmp_path, mask):
    values = np.where(noise(50, 40, high=5) == 4, 9, noise(50, 40, high=3))
    total = evaluate_mask(mask, write(tmp_path / "nine.tif", values), ignore=["9"]).total
    assert total.counts.sum() == (values != 9).sum()
    drawn = np.where(values == 9, 77, LEGEND.draw(noise(50, 40, high=3)).transpose(2, 0, 1)).astype(np.uint8)
    colours = make_raster(tmp_path / "drawn.tif", drawn, **UTM)
    assert same(evaluate_mask(mask, colours, ignore=["#4d4d4d"]).total, total)


# Masks of other programs: values without a legend


def foreign(path, values, dtype=np.uint8, **profile):
    return make_raster(path, np.asarray(values, dtype)[None], **{**UTM, **profile})


def iou_by_numpy(mask, reference):
    """IoU by value over all pixels."""
    values = np.union1d(mask, reference)
    return {str(v): ((mask == v) & (reference == v)).sum() / ((mask == v) | (reference == v)).sum() for v in values}


def occurring_iou(evaluation):
    iou = zip(evaluation.legend.names, evaluation.total.iou(), strict=True)
    return {name: value for name, value in iou if not np.isnan(value)}


@pytest.mark.parametrize(("dtype", "objects"), [(np.uint8, 255), (np.uint16, 255), (np.uint16, 60000), (np.int16, -1)])
def test_a_mask_of_two_values_has_two_classes(tmp_path, dtype, objects):
    wrong, right = np.zeros((2, 64, 64), dtype)
    wrong[40:60, 40:60] = right[10:30, 10:30] = objects
    paths = foreign(tmp_path / "wrong.tif", wrong, dtype), foreign(tmp_path / "right.tif", right, dtype)
    assert occurring_iou(evaluate_mask(*paths)) == pytest.approx(iou_by_numpy(wrong, right))
    assert evaluate_mask(*paths).total.iou()[evaluate_mask(*paths).legend.index_of(str(objects))] == 0


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_scores_of_values_are_those_of_numpy(tmp_path_factory, data):
    """Whatever the values, as long as no nodata is declared."""
    folder = tmp_path_factory.mktemp("values")
    names = data.draw(st.lists(st.integers(0, 65535), min_size=1, max_size=5, unique=True))
    dtype = np.uint8 if max(names) < 256 else np.uint16
    mask, reference = (np.take(names, noise(2, 30, 20, high=len(names))[n]).astype(dtype) for n in (0, 1))
    evaluation = evaluate_mask(foreign(folder / "m.tif", mask, dtype), foreign(folder / "r.tif", reference, dtype))
    assert occurring_iou(evaluation) == pytest.approx(iou_by_numpy(mask, reference))
    assert evaluation.total.ignored == 0


def test_a_declared_nodata_is_no_class_unless_the_user_says_so(tmp_path):
    values = noise(30, 20, high=3)
    mask, reference = (foreign(tmp_path / f"{n}.tif", np.roll(values, n), nodata=0) for n in (0, 1))
    total = evaluate_mask(mask, reference).total
    labeled = np.roll(values, 1) != 0
    assert total.in_reference.tolist() == [0, *np.bincount(np.roll(values, 1).ravel())[1:]]
    assert total.ignored == (~labeled).sum()
    assert total.missed.sum() == ((values == 0) & labeled).sum()
    everything = evaluate_mask(mask, reference, ignore=["none"])
    assert occurring_iou(everything) == pytest.approx(iou_by_numpy(values, np.roll(values, 1)))
    assert everything.total.ignored == 0


def test_a_nodata_of_the_reference_is_no_class_even_if_the_mask_has_its_value(tmp_path):
    values = noise(30, 20, high=2)
    mask, reference = foreign(tmp_path / "m.tif", values), foreign(tmp_path / "r.tif", values, nodata=0)
    total = evaluate_mask(mask, reference).total
    assert total.counts.tolist() == [[0, 0], [0, (values == 1).sum()]]
    assert total.ignored == (values == 0).sum()
    assert evaluate_mask(mask, reference, ignore=["none"]).total.ignored == 0


def test_a_wide_mask_without_any_class_has_no_score_but_an_error(tmp_path):
    empty = foreign(tmp_path / "m.tif", np.full((30, 20), 9), np.uint16, nodata=9)
    total = evaluate_mask(empty, foreign(tmp_path / "r.tif", np.ones((30, 20)))).total
    assert total.missed.sum() == 600


def test_ignored_values_of_a_mask_with_a_legend_have_no_prediction(tmp_path, mask):
    reference = write(tmp_path / "reference.tif", noise(50, 40, high=3), legend=LEGEND)
    plain, ignored = (evaluate_mask(mask, reference, ignore=ignore).total for ignore in ([], ["1"]))
    assert ignored.in_prediction[1] == 0
    assert ignored.missed.sum() == plain.in_prediction[1] - plain.counts[:, 1].sum() + ignored.missed.sum()


@pytest.mark.parametrize("ignore", ["foo", "[255]", "--5"])
def test_what_is_no_pixel_value_cannot_be_ignored(tmp_path, ignore):
    mask = foreign(tmp_path / "m.tif", noise(30, 20, high=2))
    polygons = write_polygons(tmp_path / "a.gpkg", [pixel_box(0, 0, 5, 5)])
    for reference in (mask, polygons):
        with pytest.raises(ConfigError, match="is not a pixel value"):
            evaluate_mask(mask, reference, ignore=[ignore])


def test_an_ignored_attribute_value_is_no_class(tmp_path):
    shapes = [pixel_box(0, 0, 5, 5), pixel_box(10, 10, 15, 15)]
    reference = write_polygons(tmp_path / "a.gpkg", shapes, kinds=["0", "1"])
    mask = foreign(tmp_path / "m.tif", np.ones((50, 40)))
    total = evaluate_mask(mask, reference, column="kind", ignore=["0", "[1]"]).total
    assert total.in_reference.tolist() == [0, 25]


def test_255_is_ignored_if_the_user_says_so_and_its_number_is_said(tmp_path):
    values = np.where(noise(30, 20, high=4) == 3, 255, noise(30, 20, high=3))
    mask = foreign(tmp_path / "mask.tif", np.roll(values, 1))
    reference = foreign(tmp_path / "reference.tif", values)
    evaluation = evaluate_mask(mask, reference, ignore=["255"])
    assert "255" not in evaluation.legend.names
    assert evaluation.total.ignored == (values == 255).sum()
    assert evaluation.total.missed.sum() == ((np.roll(values, 1) == 255) & (values != 255)).sum()
    assert any(f"{(values == 255).sum()} of 600" in note and "not labeled" in note for note in evaluation.notes)
    assert evaluate_mask(mask, reference).total.ignored == 0


def test_255_in_a_foreign_reference_is_not_a_class_of_a_mask_with_a_legend(tmp_path, mask):
    values = noise(50, 40, high=3)
    values[:10] = 255
    reference = foreign(tmp_path / "reference.tif", values)
    with pytest.raises(DataError, match="255") as caught:
        evaluate_mask(mask, reference)
    assert "--ignore" in caught.value.hint
    assert evaluate_mask(mask, reference, ignore=["255"]).total.ignored == 400


def test_ignored_values_win_over_classes(tmp_path, mask):
    values = noise(50, 40, high=3)
    total = evaluate_mask(mask, foreign(tmp_path / "reference.tif", values), ignore=["0"]).total
    assert total.in_reference.tolist() == [0, (values == 1).sum(), (values == 2).sum()]


def test_classes_that_only_the_reference_has_are_left_out_with_their_number(tmp_path, caplog):
    values = noise(50, 40, high=3)
    mask = write(tmp_path / "mask.tif", values % 2, legend=Legend.of(["field", "town"]))
    total = evaluate_mask(mask, write(tmp_path / "reference.tif", values, legend=LEGEND)).total
    assert total.ignored == (values == 2).sum()
    assert f"no class 'water'; its {(values == 2).sum()} pixels" in caplog.text


def test_a_constant_prediction_is_said(tmp_path):
    reference = foreign(tmp_path / "reference.tif", noise(50, 40, high=3))
    constant = evaluate_mask(foreign(tmp_path / "constant.tif", np.ones((50, 40))), reference)
    assert constant.notes == ("the prediction is 1 everywhere; the reference has 3 classes",)
    assert evaluate_mask(reference, reference).notes == ()


def test_a_confidence_of_255_that_is_not_nodata_is_refused(tmp_path, mask):
    """Only geoseg's own files mean "no value" by it, and declare it; 8-bit probabilities of others run to 255."""
    levels = noise(50, 40, low=250, high=256)
    with pytest.raises(SceneError, match="contains 255"):
        evaluate_mask(mask, mask, confidence=foreign(tmp_path / "sure.tif", levels))
    known = evaluate_mask(mask, mask, confidence=foreign(tmp_path / "ours.tif", levels, nodata=255)).calibration
    assert known.pixels == (levels != 255).sum()


def test_masks_without_a_legend_beside_others_have_their_classes(folders):
    foreign(folders / "masks" / "b_mask.tif", [[0, 0, 0, 7]] * 3)
    with pytest.raises(
        DataError, match=r"b_mask.tif: 25.00% of the pixels have values that are not in the first mask's legend: 7"
    ):
        evaluate_mask(folders / "masks", folders / "right")
    make_raster(folders / "masks" / "b_mask.tif", noise(3, 3, 4), **UTM)
    with pytest.raises(SceneError, match="is not a mask"):
        evaluate_mask(folders / "masks", folders / "right")


def test_an_image_is_no_mask(tmp_path):
    image = make_raster(tmp_path / "image.tif", noise(3, 20, 20), **UTM)
    with pytest.raises(SceneError, match="is not a mask"):
        evaluate_mask(image, image)


def test_options_for_polygons_are_refused_with_a_raster(mask):
    with pytest.raises(ConfigError, match="is a raster and has no attributes"):
        evaluate_mask(mask, mask, column="kind")


def test_memory_does_not_grow_with_the_height_of_a_mask(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "STRIP_ROWS", 64)
    peaks = {}
    for height in (128, 1024):
        values = noise(height, 500, high=3)
        path = write(tmp_path / f"{height}.tif", values, legend=LEGEND)
        evaluate_mask(path, path, boundary_m=1, objects=["town"])
        tracemalloc.start()
        evaluate_mask(path, path, boundary_m=1)
        peaks[height] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[1024] < 1.2 * peaks[128]


# Real building masks (OpenAerialMap and OpenStreetMap) against the polygons that they were rasterized from


@pytest.fixture(scope="module")
def derived(shared_data):
    return shared_data / "derived_scenes"


def test_a_mask_meets_its_polygons_in_degrees(derived):
    evaluation = evaluate_mask(
        derived / "oam_B_z21_mask.tif", derived / "oam_B_z21_buildings_4326.geojson",
        polygon_class="1", background="0", boundary_m=0.5, objects=["1"],
    )  # fmt: skip
    assert evaluation.total.iou()[1] > 0.95
    assert np.nanmean(evaluation.boundary.f1()) > 0.95
    assert evaluation.objects.f1()[1] > 0.9


def test_masks_go_together_with_scenes_of_the_same_name(shared_data):
    masks = shared_data / "oam_hot_buildings" / "val-binarymasks"
    evaluation = evaluate_mask(masks, masks, scene=shared_data / "oam_hot_buildings" / "val-chips")
    assert len(evaluation.scenes) == 4
    assert evaluation.total.mean_iou == 1


# Reference polygons


def write_polygons(path, shapes, *, kinds=None, crs=UTM["crs"]):
    gpd.GeoDataFrame({"kind": kinds or ["water"] * len(shapes)}, geometry=shapes, crs=crs).to_file(path)
    return path


def pixel_box(row, col, row_stop, col_stop):
    left, top, size = UTM["transform"].c, UTM["transform"].f, UTM["transform"].a
    return box(left + col * size, top - row_stop * size, left + col_stop * size, top - row * size)


@pytest.mark.parametrize(("crs", "reason"), [(UTM["crs"], "touches the scene"), (4326, "seem to be in EPSG:32633")])
def test_polygons_that_touch_no_mask_are_refused(tmp_path, mask, crs, reason):
    shape = pixel_box(0, 0, 5, 5) if crs == 4326 else pixel_box(1000, 0, 1005, 5)
    path = write_polygons(tmp_path / "a.gpkg", [shape], crs=crs)
    with pytest.raises(LayerError, match=reason) as caught:
        evaluate_mask(mask, path, column="kind", background="field")
    assert caught.value.hint


def test_one_mask_without_polygons_among_many_is_fine(tmp_path):
    (tmp_path / "masks").mkdir()
    for name, transform in (("a", UTM["transform"]), ("b", moved([1, 0, 1000, 0, 1, 0, 0, 0, 1]))):
        write(tmp_path / f"masks/{name}.tif", np.zeros((9, 9)), legend=LEGEND, transform=transform)
    path = write_polygons(tmp_path / "all.gpkg", [pixel_box(0, 0, 5, 5)])
    assert evaluate_mask(tmp_path / "masks", path, column="kind", background="field").total.counts.sum() == 162


def test_notes_about_a_file_of_polygons_are_logged_once_for_all_masks(tmp_path, caplog):
    """Two masks side by side, and a layer with a point on the first and three points on the second mask."""
    (tmp_path / "masks").mkdir()
    for name, step in {"a": 0, "b": 20}.items():
        transform = moved([1, 0, step, 0, 1, 0, 0, 0, 1])
        write(tmp_path / f"masks/{name}.tif", np.ones((20, 20)), transform=transform, legend=LEGEND)
    points = [pixel_box(row, col, row + 1, col + 1).centroid for row, col in [(2, 2), (2, 22), (3, 23), (4, 24)]]
    path = write_polygons(tmp_path / "all.gpkg", [pixel_box(0, 0, 5, 5), pixel_box(0, 20, 5, 5), *points, None])
    gpd.GeoDataFrame(geometry=points[:1], crs=UTM["crs"]).to_file(path, layer="pins")
    evaluate_mask(tmp_path / "masks", path, polygon_class="town")
    notes = [message for message in caplog.messages if str(path) in message]
    assert notes == [
        f"{path} has 2 layers with geometries; reading all",
        f"{path}: left out 1 feature (1 point) (other numbers for 1 other scene)",
        f"{path}: left out 1 feature (1 without geometry)",
    ]


def test_values_of_polygons_are_ignored_and_ordered_on_request(tmp_path):
    values = np.zeros((20, 20), np.uint8)
    values[2:9, 2:9] = 2
    mask = write(tmp_path / "mask.tif", values, legend=LEGEND)
    shapes = [pixel_box(2, 2, 9, 9), pixel_box(0, 0, 20, 20), pixel_box(15, 0, 20, 20), pixel_box(0, 15, 9, 20)]
    path = write_polygons(tmp_path / "a.gpkg", shapes, kinds=["water", "field", "7", None])
    with pytest.raises(LayerError, match=r"'7' \(1 polygon\), null \(1 polygon\)") as caught:
        evaluate_mask(mask, path, column="kind")
    assert "--ignore" in caught.value.hint
    found = evaluate_mask(mask, path, column="kind", ignore=["7", "null"], priority=["water"])
    assert found.total.mean_iou == 1
    assert found.total.counts.sum() == 400 - 5 * 20 - 9 * 5


def test_a_layer_of_several_is_selected(tmp_path, mask):
    path = tmp_path / "a.gpkg"
    for name in ("one", "two"):
        gpd.GeoDataFrame(geometry=[pixel_box(0, 0, 5, 5)], crs=UTM["crs"]).to_file(path, layer=name)
    with pytest.raises(LayerError, match="2 layers"):
        evaluate_mask(mask, path, polygon_class="water")
    assert evaluate_mask(mask, path, polygon_class="water", layer="two").total.counts.sum() == 25


def test_a_reference_on_another_grid_than_a_site_grid_is_refused_in_one_sentence(tmp_path, mask):
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    reference = write(tmp_path / "local.tif", np.zeros((9, 9)), legend=LEGEND, crs=local)
    with pytest.raises(GridMismatch, match="site grid is a local grid"):
        evaluate_mask(mask, reference, resample=True)
