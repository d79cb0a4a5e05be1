"""A model on scenes with references is its mask against them, and its confidence is looked at as well."""

import numpy as np
import pytest
import rasterio
from helpers.models import pixels, threshold_bundle, write_scene

from geoseg.errors import DataError, GridMismatch
from geoseg.evaluation import model_runner
from geoseg.evaluation.evaluate import evaluate
from geoseg.inference.predict import predict

HOW = {"device": "cpu", "tile": 16}


@pytest.fixture
def town(tmp_path):
    """Two scenes whose pixels above 4 are of class 1, and references that say so of all but the first column."""
    for folder in ("scenes", "right"):
        (tmp_path / folder).mkdir()
    for seed, name in enumerate("ab"):
        values = pixels(40, 30, bands=1, seed=seed)
        write_scene(tmp_path / "scenes" / f"{name}.tif", values)
        right = (values > 4).astype(np.uint8)
        right[:, :, 0] = 1
        write_scene(tmp_path / "right" / f"{name}_label.tif", right, names=("class",))
    return tmp_path


def evaluate_scenes(scene, reference, **options):
    return evaluate(scene=scene, reference=reference, **options)


def counts_of(evaluation):
    return {scene.name: scene.by_protocol["scenes"].counts.tolist() for scene in evaluation.scenes}


def test_a_model_is_judged_by_the_mask_it_makes(town):
    by_model = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **HOW)
    for name in "ab":
        predict(town / "scenes" / f"{name}.tif", town / f"{name}_mask.tif", model=threshold_bundle(), **HOW)
    by_mask = evaluate(mask=town / "?_mask.tif", reference=town / "right")
    assert counts_of(by_model) == counts_of(by_mask)
    assert by_model.total.overall_accuracy > 0.95


def test_large_scenes_go_through_files_with_the_same_result(town, monkeypatch):
    small = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **HOW)
    monkeypatch.setattr(model_runner, "MAX_PIXELS_IN_MEMORY", 10)
    large = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **HOW)
    assert counts_of(small) == counts_of(large)
    assert np.array_equal(small.calibration.counts, large.calibration.counts)


def test_a_model_says_by_itself_how_sure_it_is(town):
    calibration = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **HOW).calibration
    assert calibration.pixels == 2 * 40 * 30
    assert 0 <= calibration.error() < 0.2


def test_scenes_are_shown_while_their_files_are_open(town):
    seen = []
    evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), on_scene=seen.append, **HOW)
    assert [each.pair.name for each in seen] == ["a", "b"]
    assert seen[0].image.bands == ("red",)


def test_a_reference_on_another_grid_is_refused_before_anything_is_predicted(town):
    with rasterio.open(town / "right" / "a_label.tif") as file:
        values = file.read()[:, :-1]
    write_scene(town / "right" / "a_label.tif", values, names=("class",))
    with pytest.raises(GridMismatch) as caught:
        evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **HOW)
    assert "--resample" in caught.value.hint


def test_a_folder_without_rasters_is_a_sentence(town):
    (town / "empty").mkdir()
    with pytest.raises(DataError, match="contains neither rasters nor polygons"):
        evaluate_scenes(town / "empty", town / "right", model=threshold_bundle(), **HOW)
