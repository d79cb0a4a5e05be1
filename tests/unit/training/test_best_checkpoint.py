"""Tests of saving the best bundle by the monitored score."""

import math
from datetime import datetime

import numpy as np
import pytest
import torch
from helpers.models import Convolutions, card
from hypothesis import given
from hypothesis import strategies as st

import geoseg
from geoseg.bundle import BEST_NAME, read_card
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.models.backbones.base import Scaling
from geoseg.training.best_checkpoint import BestBundleSaver, build_card
from geoseg.training.checkpoint import RunState
from geoseg.training.validation import PROTOCOL_DESCRIPTIONS, Validation

LEGEND = Legend.of(["roof", "road"])


def validation(roof: int, road: int | None) -> Validation:
    """Return a validation with these percentages of correct pixels per class; without road pixels if road is None."""
    counts = ConfusionMatrix(2)
    road_counts = (0, 0) if road is None else (100 - road, road)
    counts.counts = np.array([[roof, 0 if road is None else 100 - roof], road_counts])
    return Validation(LEGEND, {"a": counts}, {})


def update_all(saver: BestBundleSaver, *validations: Validation) -> list[bool]:
    kept = []
    for each in validations:
        saver.state.iteration += 10
        kept.append(saver.update(Convolutions(3), each))
    return kept


def make_saver(folder, monitor="mean_iou", *, is_main=True) -> BestBundleSaver:
    return BestBundleSaver(folder, card(legend=LEGEND, classes=2), monitor, RunState(), is_main=is_main)


def test_bundle_with_best_monitored_score_is_kept_and_card_has_its_iteration(tmp_path):
    for monitor, kept in (("iou roof", [True, False]), ("iou road", [True, True])):
        run = tmp_path / monitor
        run.mkdir()
        saver = make_saver(run, monitor)
        assert update_all(saver, validation(90, 70), validation(60, 95)) == kept
        best = read_card(saver.path)
        assert best.provenance["iteration"] == str(saver.state.best_iteration) == str(10 * sum(kept))
        assert best.scores[monitor] == saver.state.best


@given(st.lists(st.integers(1, 100), min_size=1, max_size=12))
def test_state_is_that_of_first_best_validation(tmp_path_factory, rights):
    saver = make_saver(tmp_path_factory.getbasetemp(), "overall_accuracy", is_main=False)
    kept = update_all(saver, *(validation(right, right) for right in rights))
    assert kept == [right > max(rights[:place], default=0) for place, right in enumerate(rights)]
    place = rights.index(max(rights))
    assert saver.state.best == max(rights) / 100
    assert saver.state.best_iteration == 10 * (place + 1)
    assert saver.state.waited == len(rights) - place - 1
    assert not saver.path.exists()


def test_newest_network_is_best_while_score_is_undefined(tmp_path, caplog):
    saver = make_saver(tmp_path, "iou road")
    assert math.isnan(validation(100, None).scores()["iou road"])
    assert update_all(saver, validation(100, None), validation(100, None)) == [True, True]
    assert saver.state.best is None
    assert "iou road is undefined on the validation scenes" in caplog.text
    assert "iou road" not in read_card(saver.path).scores
    assert update_all(saver, validation(50, 50), validation(100, None), validation(50, 40)) == [True, False, False]
    assert saver.state.best_iteration == 30


@pytest.mark.parametrize("is_main", [True, False])
def test_only_main_process_writes(tmp_path, is_main):
    run = tmp_path / "runs" / "town"
    run.mkdir(parents=True)
    assert update_all(make_saver(run, is_main=is_main), validation(50, 50)) == [True]
    assert (run / BEST_NAME).exists() == is_main
    assert (tmp_path / "runs" / "latest").exists() == is_main


def test_card_describes_recipe_data_and_normalization(recipe, prepared):
    card = build_card(recipe, prepared, Scaling((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    assert (card.model, card.legend, card.bands) == (recipe.model, prepared.legend, prepared.bands)
    assert (card.mean, card.std) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert card.minimum == tuple(band.minimum for band in prepared.statistics)
    assert card.maximum == tuple(band.maximum for band in prepared.statistics)
    assert (card.dtype, card.gsd) == (prepared.dtype, prepared.gsd)
    assert (card.crop, card.tile, card.halo) == (recipe.train.crop, recipe.predict.tile, recipe.predict.halo)
    assert card.protocol == PROTOCOL_DESCRIPTIONS["scenes"] == "scenes"
    assert card.recipe == recipe.model_dump(mode="json")
    assert card.data == {"digest": prepared.digest, **prepared.about}
    assert not card.scores


def test_provenance_has_seed_date_and_versions(recipe, prepared):
    seeded = recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": 7})})
    provenance = build_card(seeded, prepared, Scaling((0.0,) * 3, (1.0,) * 3)).provenance
    assert set(provenance) == {"seed", "date", "geoseg", "torch", "python"}
    assert (provenance["seed"], provenance["geoseg"]) == ("7", geoseg.__version__)
    assert provenance["torch"] == torch.__version__
    assert datetime.fromisoformat(provenance["date"]).tzinfo is not None
