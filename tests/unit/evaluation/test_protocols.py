"""Protocols agree where they must, and differ as they say."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.data.datasets import loveda
from geoseg.data.datasets._isprs import LEGEND
from geoseg.errors import ConfigError
from geoseg.evaluation import accumulate_counts as counting
from geoseg.evaluation.accumulate_counts import Judged, Wishes, count
from geoseg.evaluation.protocols import PROTOCOLS, SCENES, for_kinds, protocols_of
from geoseg.evaluation.result import Evaluation, SceneTally
from geoseg.grid.patches import cuts
from geoseg.legend import numbered
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.scores import zoo_summary


def judged(predicted, reference, classes=6, name="a", **more) -> Judged:
    return Judged(
        name, reference.shape, classes, lambda w: predicted[w.slices()], lambda w: reference[w.slices()], **more
    )


def masks(height, width, classes=6):
    rng = np.random.default_rng(height * width)
    reference = rng.integers(0, classes, (height, width), dtype=np.uint8)
    predicted = np.where(rng.random(reference.shape) < 0.5, reference, rng.integers(0, classes, reference.shape))
    reference[rng.random(reference.shape) < 0.1] = 255
    return predicted.astype(np.uint8), reference


@given(st.integers(500, 1200), st.integers(500, 1200), st.integers(100, 700))
def test_patches_count_as_if_they_had_been_cut_and_compared_one_by_one(height, width, rows):
    predicted, reference = masks(height, width)
    protocol, usual = PROTOCOLS["zoo"], counting.STRIP_ROWS
    expected = ConfusionMatrix(6)
    for window in cuts(height, width, "isprs", size=512):
        part = window.clip_to(height, width).slices()
        expected.update(predicted[part], reference[part])
    counting.STRIP_ROWS = rows
    try:
        tally = count(judged(predicted, reference), Wishes((SCENES, protocol)))
    finally:
        counting.STRIP_ROWS = usual
    assert np.array_equal(tally.counts["zoo"].counts, expected.counts)
    assert tally.counts["scenes"].in_reference.sum() == (reference != 255).sum()


def test_where_patches_touch_and_do_not_overlap_zoo_is_scenes():
    tally = count(judged(*masks(1024, 512)), Wishes((SCENES, PROTOCOLS["zoo"])))
    assert np.array_equal(tally.counts["zoo"].counts, tally.counts["scenes"].counts)


def test_where_nothing_is_clutter_five_classes_are_six():
    predicted, reference = (np.minimum(mask, 4) if i == 0 else np.where(mask == 255, mask, np.minimum(mask, 4))
                            for i, mask in enumerate(masks(90, 80)))  # fmt: skip
    wishes = Wishes((SCENES, PROTOCOLS["isprs-eroded-5"]))
    evaluation = Evaluation(LEGEND, (SceneTally("a", count(judged(predicted, reference), wishes)),), wishes)
    assert evaluation.scores(SCENES) == pytest.approx(evaluation.scores(PROTOCOLS["isprs-eroded-5"]), nan_ok=True)


def test_crops_of_isaid_count_their_overlaps_and_whole_images_do_not():
    predicted, reference = masks(1000, 900, classes=16)
    wishes = Wishes((PROTOCOLS["isaid-scene-15"], PROTOCOLS["isaid-crops"]))
    counts = count(judged(predicted, reference, 16), wishes).counts
    assert counts["isaid-scene-15"].in_reference.sum() == (reference != 255).sum()
    assert counts["isaid-crops"].in_reference.sum() > (reference != 255).sum()


def test_loveda_val_is_urban_and_rural_together():
    wishes = Wishes(protocols_of("loveda"))
    scenes = [("val/urban/3514", "urban"), ("val/rural/2522", "rural"), ("test/rural/1", "rural")]
    tallies = []
    for n, (name, domain) in enumerate(scenes):
        groups = {"domain": domain}
        tallies.append(SceneTally(name, count(judged(*masks(30 + n, 40, 7), 7, name, groups=groups), wishes), groups))
    evaluation = Evaluation(loveda.LEGEND, tuple(tallies), wishes)
    whole, urban, rural = (evaluation.counts(PROTOCOLS[f"loveda-{name}"]) for name in ("val", "urban", "rural"))
    assert np.array_equal(whole.counts, (urban + rural).counts)
    assert evaluation.total.in_reference.sum() > whole.in_reference.sum()
    assert evaluation.domains == ("rural", "urban")


def test_labels_of_another_kind_are_counted_in_the_same_pass():
    predicted, reference = masks(60, 50)
    full = np.where(reference == 255, 0, reference).astype(np.uint8)
    scene = judged(predicted, reference, others={"full": lambda w: full[w.slices()]})
    counts = count(scene, Wishes((SCENES, PROTOCOLS["isprs-eroded-5"], PROTOCOLS["isprs-full"]))).counts
    assert counts["isprs-full"].in_reference.sum() == full.size
    assert np.array_equal(counts["isprs-eroded-5"].counts, counts["scenes"].counts)


@pytest.mark.parametrize("case", range(5))
def test_zoo_gives_the_golden_numbers_of_openmmlab(golden, case):
    expected = json.loads((golden / "iou_cases.json").read_text())[case]
    classes, zoo = expected["num_classes"], PROTOCOLS["zoo"]
    wishes, tallies = Wishes((zoo,)), []
    with np.load(golden / "iou_cases.npz") as arrays:
        for image in range(expected["n_images"]):
            pair = (arrays[f"case{case}_{kind}{image}"].astype(np.uint8) for kind in ("pred", "gt"))
            tallies.append(SceneTally(str(image), count(judged(*pair, classes), wishes)))
    evaluation = Evaluation(numbered(range(classes)), tuple(tallies), wishes)
    told = zoo_summary(evaluation.counts(zoo))
    for key, value in {
        **expected["mIoU"]["summary"],
        **expected["mDice"]["summary"],
        **expected["mFscore"]["summary"],
    }.items():
        assert told[key] == pytest.approx(np.nan if value is None else value, abs=0.0101, nan_ok=True)


def test_the_protocols_of_a_dataset_are_all_that_are_for_it():
    assert [p.name for p in protocols_of("potsdam")] == ["scenes", "zoo", "isprs-eroded-5", "isprs-full"]
    assert [p.name for p in protocols_of("folder")] == ["scenes"]
    assert [p.name for p in for_kinds(protocols_of("vaihingen"), {"full"})] == ["scenes", "isprs-full"]


def test_a_protocol_that_is_named_stands_on_top():
    assert [p.name for p in protocols_of("isaid", ["isaid-crops"])] == ["isaid-crops", "scenes"]


def test_a_protocol_nobody_knows_and_one_of_other_data_are_refused():
    with pytest.raises(ConfigError, match="no protocol 'zo'"):
        protocols_of("potsdam", ["zo"])
    with pytest.raises(ConfigError, match="not for the dataset loveda"):
        protocols_of("loveda", ["zoo"])
    with pytest.raises(ConfigError, match="leaves out the class clutter"):
        protocols_of("", ["isprs-eroded-5"], legend=numbered(range(3)))


def test_names_are_those_of_the_table_and_texts_are_not_empty():
    assert all(name == protocol.name and protocol.text for name, protocol in PROTOCOLS.items())
