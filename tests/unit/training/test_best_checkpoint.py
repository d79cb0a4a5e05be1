"""Tests of saving the best bundle by the monitored score."""

import math

import numpy as np
import pytest
from helpers.models import Convolutions, card
from hypothesis import given
from hypothesis import strategies as st

from geoseg.bundle import BEST_NAME, read_card
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.training.best_checkpoint import BestBundleSaver
from geoseg.training.checkpoint import RunState
from geoseg.training.validation import Validation

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
