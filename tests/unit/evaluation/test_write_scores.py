import json

import numpy as np
import pytest

from geoseg.errors import OutputError
from geoseg.evaluation.accumulate_counts import CountOptions, SceneCounts
from geoseg.evaluation.objects import ObjectCounts
from geoseg.evaluation.protocols import PROTOCOLS, SCENES
from geoseg.evaluation.result import Evaluation
from geoseg.evaluation.write_scores import format_table, to_json, write_json
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.boundary import BoundaryCounts

LEGEND = Legend.of({"field": None, "town": None, "clutter": None})


def counted(predicted, reference) -> ConfusionMatrix:
    counts = ConfusionMatrix(3)
    counts.update(np.array(predicted, np.uint8), np.array(reference, np.uint8))
    return counts


@pytest.fixture
def counts():
    return counted([0, 0, 1, 255], [0, 1, 1, 1])


@pytest.fixture
def evaluation(counts):
    scenes = (SceneCounts(name, {"scenes": counts}, groups={"domain": name}) for name in "ab")
    return Evaluation(LEGEND, tuple(scenes))


def rows_of(text):
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}


def test_the_table_names_every_class_and_the_protocol(evaluation):
    rows = rows_of(format_table(evaluation))
    assert rows["field"][0] == "50.00"
    assert rows["town"][0] == "33.33"
    assert rows["clutter"][0] == "-"
    assert rows["Protocol"][0] == "scenes:"
    assert SCENES.text in format_table(evaluation)


def test_columns_of_the_table_line_up(evaluation):
    lines = format_table(evaluation).splitlines()[:5]
    assert len({len(line) for line in lines}) == 1


def test_scenes_say_how_sure_a_score_is_and_one_alone_does_not(evaluation):
    assert "95% bootstrap interval over 2 scenes" in format_table(evaluation)
    assert "interval" not in format_table(Evaluation(LEGEND, evaluation.scenes[:1]))


def test_domains_stand_beside_each_other(evaluation):
    assert "IoU          a      b    all" in format_table(evaluation)


def test_scenes_have_rows_if_requested_the_worst_first(evaluation, counts):
    better = SceneCounts("better", {"scenes": counted([0, 1], [0, 1])})
    text = format_table(Evaluation(LEGEND, (better, *evaluation.scenes)), per_scene=True)
    names = [line.split()[0] for line in text.split("scene ", 1)[1].splitlines()[1:4]]
    assert names == ["a", "b", "better"]
    assert "better" not in format_table(Evaluation(LEGEND, (better, *evaluation.scenes)))


def test_markdown_has_the_same_numbers(evaluation):
    text = format_table(evaluation, markdown=True)
    assert "| class | IoU | F1 | precision | recall | pixels |\n| --- | --: |" in text
    assert "| town | 33.33 |" in text
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


def test_every_protocol_has_a_line_with_its_words(evaluation, counts):
    scene = SceneCounts("a", {"scenes": counts, "isprs-eroded-5": counts})
    both = Evaluation(LEGEND, (scene,), CountOptions((SCENES, PROTOCOLS["isprs-eroded-5"])))
    text = format_table(both)
    for protocol in both.protocols:
        assert any(line.startswith(protocol.name) and protocol.text in line for line in text.splitlines())
    content = json.loads(to_json(both))
    assert set(content["protocols"]) == {"scenes", "isprs-eroded-5"}
    assert content["protocols"]["isprs-eroded-5"]["left_out"] == ["clutter"]


def test_a_class_that_is_in_no_mean_stands_in_parentheses(counts):
    wrong = counted([2, 2, 0], [2, 0, 0])
    protocol = PROTOCOLS["isprs-eroded-5"]
    alone = Evaluation(LEGEND, (SceneCounts("a", {protocol.name: wrong}),), CountOptions((protocol,)))
    rows = rows_of(format_table(alone))
    assert rows["(clutter)"][0] == "50.00"
    assert rows["mean"][0] == rows["field"][0] == "50.00"


def test_borders_and_objects_have_tables_of_their_own(counts):
    scene = SceneCounts("a", {"scenes": counts}, BoundaryCounts.none(3), ObjectCounts.zeros(3))
    evaluation = Evaluation(LEGEND, (scene,), CountOptions(boundary_m=0.5, objects=(1,)))
    text, content = format_table(evaluation), json.loads(to_json(evaluation))
    assert "boundaries within 0.5 m" in text
    assert content["boundary"]["tolerance_m"] == 0.5
    assert content["objects"]["town"]["f1"] is None


def test_json_holds_the_counts_unrounded_and_null_where_a_class_does_not_occur(evaluation, counts):
    content = json.loads(to_json(evaluation))
    assert content["per_class"]["iou"] == [0.5, pytest.approx(1 / 3), None]
    assert content["counts"] == (2 * counts.counts).tolist()
    assert content["missed"] == [0, 2, 0]
    assert set(content["scenes"]) == {"a", "b"}
    assert content["protocols"]["scenes"]["counts"] == content["counts"]


def test_a_report_that_cannot_be_written_is_one_sentence(evaluation, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_json(evaluation, tmp_path / "nowhere" / "scores.json")
