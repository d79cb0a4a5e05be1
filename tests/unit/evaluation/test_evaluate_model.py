"""A model on a benchmark's archives: one prediction, every protocol that applies; a prepared folder says the same."""

import numpy as np
import pytest
import torch
from helpers.archives import archive_section, loveda_archives, potsdam_archives
from helpers.models import bundle
from torch import nn

from geoseg.config.recipe import Recipe
from geoseg.data.datasets import _isprs as isprs
from geoseg.data.datasets import loveda
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import ConfigError, DataError
from geoseg.evaluation.evaluate import evaluate
from geoseg.evaluation.protocols import PROTOCOLS
from geoseg.evaluation.resolve_recipe import resolve_recipe

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
    with pytest.raises(DataError, match="none of the dataset's"):
        evaluated(archive_section("potsdam", potsdam), loveda.LEGEND.of(["sea", "land"]))


def test_what_was_judged_is_told(potsdam):
    about = evaluated(archive_section("potsdam", potsdam), isprs.LEGEND).about
    assert (about["split"], about["prediction"]["tile"]) == ("val", 64)
