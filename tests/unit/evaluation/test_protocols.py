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
from geoseg.evaluation.accumulate_counts import CountOptions, ScenePair, count_scene
from geoseg.evaluation.protocols import PROTOCOLS, SCENES, filter_by_labels, select_protocols
from geoseg.evaluation.result import Evaluation
from geoseg.grid.patch_positions import patch_windows
from geoseg.legend import make_numbered_legend
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.scores import openmmlab_scores


def make_pair(predicted, reference, classes=6, name="a", **more) -> ScenePair:
    return ScenePair(
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
    protocol, usual = PROTOCOLS["openmmlab"], counting.STRIP_ROWS
    expected = ConfusionMatrix(6)
    for window in patch_windows(height, width, "isprs", size=512):
        part = window.clip_to(height, width).slices()
        expected.update(predicted[part], reference[part])
    counting.STRIP_ROWS = rows
    try:
        counts = count_scene(make_pair(predicted, reference), CountOptions((SCENES, protocol)))
    finally:
        counting.STRIP_ROWS = usual
    assert np.array_equal(counts.by_protocol["openmmlab"].counts, expected.counts)
    assert counts.by_protocol["scenes"].in_reference.sum() == (reference != 255).sum()


def test_where_patches_touch_and_do_not_overlap_openmmlab_is_scenes():
    counts = count_scene(make_pair(*masks(1024, 512)), CountOptions((SCENES, PROTOCOLS["openmmlab"])))
    assert np.array_equal(counts.by_protocol["openmmlab"].counts, counts.by_protocol["scenes"].counts)


def test_where_nothing_is_clutter_five_classes_are_six():
    predicted, reference = (np.minimum(mask, 4) if i == 0 else np.where(mask == 255, mask, np.minimum(mask, 4))
                            for i, mask in enumerate(masks(90, 80)))  # fmt: skip
    options = CountOptions((SCENES, PROTOCOLS["isprs-eroded-5"]))
    evaluation = Evaluation(LEGEND, (count_scene(make_pair(predicted, reference), options),), options)
    assert evaluation.scores(SCENES) == pytest.approx(evaluation.scores(PROTOCOLS["isprs-eroded-5"]), nan_ok=True)


def test_crops_of_isaid_count_their_overlaps_and_whole_images_do_not():
    predicted, reference = masks(1000, 900, classes=16)
    options = CountOptions((PROTOCOLS["isaid-scene-15"], PROTOCOLS["isaid-crops"]))
    counts = count_scene(make_pair(predicted, reference, 16), options).by_protocol
    assert counts["isaid-scene-15"].in_reference.sum() == (reference != 255).sum()
    assert counts["isaid-crops"].in_reference.sum() > (reference != 255).sum()


def test_loveda_val_is_urban_and_rural_together():
    options = CountOptions(select_protocols("loveda"))
    names = [("val/urban/3514", "urban"), ("val/rural/2522", "rural"), ("test/rural/1", "rural")]
    scenes = []
    for n, (name, domain) in enumerate(names):
        scenes.append(count_scene(make_pair(*masks(30 + n, 40, 7), 7, name, groups={"domain": domain}), options))
    evaluation = Evaluation(loveda.LEGEND, tuple(scenes), options)
    whole, urban, rural = (evaluation.counts(PROTOCOLS[f"loveda-{name}"]) for name in ("val", "urban", "rural"))
    assert np.array_equal(whole.counts, (urban + rural).counts)
    assert evaluation.total.in_reference.sum() > whole.in_reference.sum()
    assert evaluation.domains == ("rural", "urban")


def test_labels_of_another_kind_are_counted_in_the_same_pass():
    predicted, reference = masks(60, 50)
    full = np.where(reference == 255, 0, reference).astype(np.uint8)
    scene = make_pair(predicted, reference, other_references={"full": lambda w: full[w.slices()]})
    counts = count_scene(
        scene, CountOptions((SCENES, PROTOCOLS["isprs-eroded-5"], PROTOCOLS["isprs-full"]))
    ).by_protocol
    assert counts["isprs-full"].in_reference.sum() == full.size
    assert np.array_equal(counts["isprs-eroded-5"].counts, counts["scenes"].counts)


@pytest.mark.parametrize("case", range(5))
def test_the_protocol_openmmlab_gives_the_golden_numbers(golden, case):
    expected = json.loads((golden / "iou_cases.json").read_text())[case]
    classes, openmmlab = expected["num_classes"], PROTOCOLS["openmmlab"]
    options, scenes = CountOptions((openmmlab,)), []
    with np.load(golden / "iou_cases.npz") as arrays:
        for image in range(expected["n_images"]):
            pair = (arrays[f"case{case}_{kind}{image}"].astype(np.uint8) for kind in ("pred", "gt"))
            scenes.append(count_scene(make_pair(*pair, classes, str(image)), options))
    evaluation = Evaluation(make_numbered_legend(range(classes)), tuple(scenes), options)
    told = openmmlab_scores(evaluation.counts(openmmlab))
    for key, value in {
        **expected["mIoU"]["summary"],
        **expected["mDice"]["summary"],
        **expected["mFscore"]["summary"],
    }.items():
        assert told[key] == pytest.approx(np.nan if value is None else value, abs=0.0101, nan_ok=True)


def test_the_protocols_of_a_dataset_are_all_that_are_for_it():
    assert [p.name for p in select_protocols("potsdam")] == ["scenes", "openmmlab", "isprs-eroded-5", "isprs-full"]
    assert [p.name for p in select_protocols("folder")] == ["scenes"]
    assert [p.name for p in filter_by_labels(select_protocols("vaihingen"), {"full"})] == ["scenes", "isprs-full"]


def test_a_protocol_that_is_named_stands_on_top():
    assert [p.name for p in select_protocols("isaid", ["isaid-crops"])] == ["isaid-crops", "scenes"]


def test_a_protocol_nobody_knows_and_one_of_other_data_are_refused():
    with pytest.raises(ConfigError, match="unknown protocol 'zo'"):
        select_protocols("potsdam", ["zo"])
    with pytest.raises(ConfigError, match="does not apply to the dataset loveda"):
        select_protocols("loveda", ["openmmlab"])
    with pytest.raises(ConfigError, match="ignores class clutter"):
        select_protocols("", ["isprs-eroded-5"], legend=make_numbered_legend(range(3)))


def test_names_are_those_of_the_table_and_texts_are_not_empty():
    assert all(name == protocol.name and protocol.text for name, protocol in PROTOCOLS.items())
