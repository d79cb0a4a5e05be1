import json

import numpy as np
import pytest

from geoseg.errors import OutputError
from geoseg.evaluation.evaluation import PROTOCOL, Evaluation
from geoseg.evaluation.report import table, to_json, write_json
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix


@pytest.fixture
def evaluation():
    counts = ConfusionMatrix(3)
    counts.update(np.array([0, 0, 1, 255], np.uint8), np.array([0, 1, 1, 1], np.uint8))
    return Evaluation(Legend.of({"field": None, "town": None, "water": None}), {"a": counts, "b": counts})


def test_the_table_names_every_class_and_the_protocol(evaluation):
    text = table(evaluation)
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["field"][0] == "50.00"
    assert rows["town"][0] == "33.33"
    assert rows["water"][0] == "-"
    assert PROTOCOL in text


def test_columns_of_the_table_line_up(evaluation):
    lines = table(evaluation).splitlines()[:5]
    assert len({len(line) for line in lines}) == 1


def test_json_holds_the_counts_unrounded_and_null_where_a_class_does_not_occur(evaluation):
    content = json.loads(to_json(evaluation))
    assert content["per_class"]["iou"] == [0.5, pytest.approx(1 / 3), None]
    assert content["counts"] == (2 * evaluation.scenes["a"].counts).tolist()
    assert content["missed"] == [0, 2, 0]
    assert set(content["scenes"]) == {"a", "b"}


def test_a_report_that_cannot_be_written_is_one_sentence(evaluation, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_json(evaluation, tmp_path / "nowhere" / "scores.json")
