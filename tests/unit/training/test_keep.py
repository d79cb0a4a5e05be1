"""The best bundle by the monitored score, and nothing else, is kept."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies_inference import Convolutions, card

from geoseg.bundle import BEST_NAME, read_card
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.training.best_checkpoint import KeepBest
from geoseg.training.checkpoint import Standing
from geoseg.training.validation import Validation

LEGEND = Legend.of(["roof", "road"])


def validation(roof: int, road: int | None) -> Validation:
    """So many of a hundred pixels of each class are right; no pixel is road if that is None."""
    counts = ConfusionMatrix(2)
    road_counts = (0, 0) if road is None else (100 - road, road)
    counts.counts = np.array([[roof, 0 if road is None else 100 - roof], road_counts])
    return Validation(LEGEND, {"a": counts}, {})


def offered(keeper: KeepBest, *validations: Validation) -> list[bool]:
    kept = []
    for each in validations:
        keeper.standing.iteration += 10
        kept.append(keeper.offer(Convolutions(3), each))
    return kept


def keeper(folder, monitor="mean_iou", *, writes=True) -> KeepBest:
    return KeepBest(folder, card(legend=LEGEND, classes=2), monitor, Standing(), writes=writes)


def test_the_best_is_kept_by_the_monitored_score_and_its_card_says_when(tmp_path):
    for monitor, kept in (("iou roof", [True, False]), ("iou road", [True, True])):
        run = tmp_path / monitor
        run.mkdir()
        made = keeper(run, monitor)
        assert offered(made, validation(90, 70), validation(60, 95)) == kept
        best = read_card(made.path)
        assert best.provenance["iteration"] == str(made.standing.best_iteration) == str(10 * sum(kept))
        assert best.scores[monitor] == made.standing.best


@given(st.lists(st.integers(1, 100), min_size=1, max_size=12))
def test_the_standing_is_that_of_the_first_of_the_best(tmp_path_factory, rights):
    made = keeper(tmp_path_factory.getbasetemp(), "overall_accuracy", writes=False)
    kept = offered(made, *(validation(right, right) for right in rights))
    assert kept == [right > max(rights[:place], default=0) for place, right in enumerate(rights)]
    place = rights.index(max(rights))
    assert made.standing.best == max(rights) / 100
    assert made.standing.best_iteration == 10 * (place + 1)
    assert made.standing.waited == len(rights) - place - 1
    assert not made.path.exists()


def test_until_the_score_is_defined_the_newest_is_the_best(tmp_path, caplog):
    made = keeper(tmp_path, "iou road")
    assert math.isnan(validation(100, None).scores()["iou road"])
    assert offered(made, validation(100, None), validation(100, None)) == [True, True]
    assert made.standing.best is None
    assert "iou road is undefined on the validation scenes" in caplog.text
    assert "iou road" not in read_card(made.path).scores
    assert offered(made, validation(50, 50), validation(100, None), validation(50, 40)) == [True, False, False]
    assert made.standing.best_iteration == 30


@pytest.mark.parametrize("writes", [True, False])
def test_of_processes_that_train_together_one_writes(tmp_path, writes):
    run = tmp_path / "runs" / "town"
    run.mkdir(parents=True)
    assert offered(keeper(run, writes=writes), validation(50, 50)) == [True]
    assert (run / BEST_NAME).exists() == writes
    assert (tmp_path / "runs" / "latest").exists() == writes
