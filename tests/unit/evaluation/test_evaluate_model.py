"""A model on a benchmark's archives: one prediction, every protocol that applies; a prepared folder says the same."""

import numpy as np
import pytest
import rasterio
import torch
from helpers.archives import archive_section, loveda_archives, potsdam_archives
from helpers.models import bundle, pixels, threshold_bundle, write_scene
from torch import nn

from geoseg.config.recipe import Recipe
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import loveda
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import ConfigError, DataError, GridMismatch
from geoseg.evaluation import model_runner
from geoseg.evaluation.evaluate import evaluate
from geoseg.evaluation.protocols import PROTOCOLS
from geoseg.evaluation.resolve_recipe import resolve_recipe
from geoseg.inference.predict import predict

HOW = {"device": "cpu", "tile": 64}


def model(legend):
    """A model of three bands that guesses by colour."""
    torch.manual_seed(3)
    network = nn.Conv2d(3, len(legend), 1)
    return bundle(network, bands=("red", "green", "blue"), classes=len(legend), legend=legend, tile=64, halo=0)


@pytest.fixture(scope="module")
def potsdam(tmp_path_factory):
    return potsdam_archives(tmp_path_factory.mktemp("potsdam"), kinds=("rgb", "no_boundary", "full"))


def evaluated(section, legend, **options):
    return evaluate(Recipe(data=section), model=model(legend), **HOW, **options)


def names(evaluation):
    return [protocol.name for protocol in evaluation.protocols]


def test_one_prediction_is_counted_by_every_protocol_of_potsdam(potsdam):
    both = evaluated(archive_section("potsdam", potsdam), isprs.LEGEND)
    full = evaluated(archive_section("potsdam", potsdam, labels="full"), isprs.LEGEND)
    assert names(both) == names(full) == ["scenes", "openmmlab", "isprs-eroded-5", "isprs-full"]
    for name in ("openmmlab", "isprs-eroded-5", "isprs-full"):
        assert np.array_equal(both.counts(PROTOCOLS[name]).counts, full.counts(PROTOCOLS[name]).counts)
    assert np.array_equal(full.total.counts, full.counts(PROTOCOLS["isprs-full"]).counts)
    assert both.total.in_reference.sum() < full.total.in_reference.sum()


def test_without_full_labels_their_protocol_does_not_apply_and_cannot_be_asked_for(tmp_path):
    section = archive_section("potsdam", potsdam_archives(tmp_path))
    assert names(evaluated(section, isprs.LEGEND)) == ["scenes", "openmmlab", "isprs-eroded-5"]
    with pytest.raises(ConfigError, match="protocol isprs-full needs labels that are missing"):
        evaluated(section, isprs.LEGEND, protocols=["isprs-full"])


def test_a_protocol_that_is_asked_for_stands_on_top(potsdam):
    evaluation = evaluated(archive_section("potsdam", potsdam), isprs.LEGEND, protocols=["isprs-eroded-5"])
    assert names(evaluation) == ["isprs-eroded-5", "scenes"]


def test_loveda_has_its_domains_and_its_protocols(tmp_path):
    section = archive_section("loveda", loveda_archives(tmp_path), complete=False)
    evaluation = evaluated(section, loveda.LEGEND)
    assert names(evaluation) == ["scenes", "loveda-val", "loveda-urban", "loveda-rural"]
    assert evaluation.domains == ("rural", "urban")
    for domain in evaluation.domains:
        by_protocol = evaluation.counts(PROTOCOLS[f"loveda-{domain}"]).counts
        assert np.array_equal(by_protocol, evaluation.counts(PROTOCOLS["scenes"], domain).counts)


def test_a_prepared_folder_is_judged_like_the_archives_it_came_from(potsdam, tmp_path):
    section = archive_section("potsdam", potsdam)
    folder = prepare(section, "potsdam", folder=tmp_path / "prepared").folder
    recipe = resolve_recipe(str(folder))
    again = evaluate(recipe, model=model(isprs.LEGEND), **HOW)
    assert np.array_equal(again.total.counts, evaluated(section, isprs.LEGEND).total.counts)
    assert names(again) == ["scenes", "openmmlab", "isprs-eroded-5"]
    with pytest.raises(ConfigError, match="not a recipe"):
        resolve_recipe(str(folder), ["data.root=elsewhere"])


def test_borders_and_objects_are_counted_at_the_published_pixel_size(potsdam):
    evaluation = evaluated(
        archive_section("potsdam", potsdam, labels="full"), isprs.LEGEND, boundary_m=0.2, objects=["car"]
    )
    assert evaluation.boundary.border_reference.sum() > 0
    assert evaluation.objects.reference[isprs.LEGEND.index_of("car")] > 0


def test_a_model_of_other_classes_is_refused(potsdam):
    with pytest.raises(DataError, match="none of the model's classes"):
        evaluated(archive_section("potsdam", potsdam), loveda.LEGEND.of(["sea", "land"]))


def test_what_was_judged_is_told(potsdam):
    about = evaluated(archive_section("potsdam", potsdam), isprs.LEGEND).about
    assert (about["split"], about["prediction"]["tile"]) == ("val", 64)


SCENE_OPTIONS = {"device": "cpu", "tile": 16}


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
    by_model = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **SCENE_OPTIONS)
    for name in "ab":
        predict(town / "scenes" / f"{name}.tif", town / f"{name}_mask.tif", model=threshold_bundle(), **SCENE_OPTIONS)
    by_mask = evaluate(mask=town / "?_mask.tif", reference=town / "right")
    assert counts_of(by_model) == counts_of(by_mask)
    assert by_model.total.overall_accuracy > 0.95


def test_large_scenes_go_through_files_with_the_same_result(town, monkeypatch):
    small = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **SCENE_OPTIONS)
    monkeypatch.setattr(model_runner, "MAX_PIXELS_IN_MEMORY", 10)
    large = evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **SCENE_OPTIONS)
    assert counts_of(small) == counts_of(large)
    assert np.array_equal(small.calibration.counts, large.calibration.counts)


def test_a_model_says_by_itself_how_sure_it_is(town):
    calibration = evaluate_scenes(
        town / "scenes", town / "right", model=threshold_bundle(), **SCENE_OPTIONS
    ).calibration
    assert calibration.pixels == 2 * 40 * 30
    assert 0 <= calibration.error() < 0.2


def test_scenes_are_shown_while_their_files_are_open(town):
    seen = []
    evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), on_scene=seen.append, **SCENE_OPTIONS)
    assert [each.pair.name for each in seen] == ["a", "b"]
    assert seen[0].image.bands == ("red",)


def test_a_reference_on_another_grid_is_refused_before_anything_is_predicted(town):
    with rasterio.open(town / "right" / "a_label.tif") as file:
        values = file.read()[:, :-1]
    write_scene(town / "right" / "a_label.tif", values, names=("class",))
    with pytest.raises(GridMismatch) as caught:
        evaluate_scenes(town / "scenes", town / "right", model=threshold_bundle(), **SCENE_OPTIONS)
    assert "--resample" in caught.value.hint


def test_a_folder_without_rasters_is_a_sentence(town):
    (town / "empty").mkdir()
    with pytest.raises(DataError, match="contains neither rasters nor polygons"):
        evaluate_scenes(town / "empty", town / "right", model=threshold_bundle(), **SCENE_OPTIONS)
