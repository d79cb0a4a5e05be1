"""Validation counts what a network predicts for whole scenes, each labelled pixel once, however they are tiled."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_data import data_section, labelled_folder, striped
from strategies_raster import noise
from torch import nn

from geoseg.config.recipe import PredictSection
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import ConfigError
from geoseg.grid.patches import cuts
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.models.backbones.base import Scaling
from geoseg.training.module import TrainingStep
from geoseg.training.validation import Validation, Validator, evaluating, require_monitor

SCALING = Scaling((100.0, 110.0, 120.0), (50.0, 60.0, 70.0))


class Pixelwise(nn.Module):
    """Logits of a pixel from that pixel alone, so that they do not depend on tiles."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, images):
        return self.layer(images)


@pytest.fixture(scope="module")
def step():
    return TrainingStep(Pixelwise(), nn.Identity(), SCALING, auxiliary_weight=0)


def validated(fabric, recipe, prepared, step, **predict):
    changed = recipe.model_copy(update={"predict": PredictSection(**predict)})
    return Validator(fabric, changed, prepared).run(step, step.network)


def predicted(scene, network, window=None):
    """Class indices and labels of a scene, or of a window, predicted at once."""
    image, target, _ = scene.cut(window or Window(0, 0, scene.height, scene.width))
    mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in SCALING)
    with torch.no_grad():
        logits = network(((torch.from_numpy(image).permute(2, 0, 1) - mean) / std)[None])
    return logits[0].argmax(0).numpy(), target


def counted(pairs, classes=3):
    """The confusion, counted with nothing but numpy."""
    counts = np.zeros((classes, classes), np.int64)
    for mask, target in pairs:
        labelled = target != IGNORE_INDEX
        np.add.at(counts, (target[labelled], mask[labelled]), 1)
    return counts


@given(tile=st.integers(32, 150), halo=st.integers(0, 15), batch=st.integers(1, 5))
@settings(max_examples=20)
def test_however_scenes_are_tiled_each_pixel_counts_once(fabric, recipe, prepared, step, tile, halo, batch):
    found = validated(fabric, recipe, prepared, step, tile=tile, halo=halo, batch=batch)
    assert set(found.scenes) == {scene.name for scene in prepared.scenes("val")}
    for scene in prepared.scenes("val"):
        assert np.array_equal(found.scenes[scene.name].counts, counted([predicted(scene, step.network)]))


def test_pixels_without_label_do_not_count(fabric, recipe, step, tmp_path):
    label = striped(40, 48)
    label[5:20, 7:30] = 255
    folder = labelled_folder(tmp_path, label=label, image=noise(3, 40, 48, low=1))
    prepared = prepare(data_section(folder, ignore=[255]), "holes")
    found = validated(fabric, recipe, prepared, step, tile=32, halo=4)
    assert found.total.counts.sum() == 40 * 48 - 15 * 23


def test_domains_are_counted_apart_and_add_up(fabric, recipe, prepared, step):
    found = validated(fabric, recipe, prepared, step, tile=64, halo=8)
    assert set(found.domains) == {"dry", "wet"}
    assert np.array_equal(sum(each.counts for each in found.domains.values()), found.total.counts)
    for scene in prepared.scenes("val"):
        assert np.array_equal(found.domains[scene.groups["domain"]].counts, found.scenes[scene.name].counts)
    scores = found.scores()
    assert scores["mean_iou dry"] == found.domains["dry"].mean_iou
    assert scores["mean_iou"] == found.total.mean_iou
    assert scores["iou road"] == found.total.iou()[2]


def test_one_domain_alone_is_not_told_apart(fabric, recipe, prepared, step):
    dry = replace(prepared, all_scenes=tuple(scene for scene in prepared.all_scenes if scene.groups["domain"] == "dry"))
    assert validated(fabric, recipe, dry, step).domains == {}


@pytest.mark.parametrize(("rule", "size"), [("isprs", 512), ("isaid", 896)])
def test_published_rules_count_overlaps_twice(fabric, recipe, step, tmp_path, rule, size):
    label, image = striped(600, 960), noise(3, 600, 960, low=1)
    prepared = prepare(data_section(labelled_folder(tmp_path, label=label, image=image)), "large")
    train = recipe.train.model_copy(update={"validation": rule})
    found = Validator(fabric, recipe.model_copy(update={"train": train}), prepared).run(step, step.network)
    (scene,) = prepared.scenes("val")
    windows = list(cuts(600, 960, rule, size=size))
    assert len(windows) > 1
    assert np.array_equal(found.total.counts, counted(predicted(scene, step.network, window) for window in windows))
    assert found.total.counts.sum() > 600 * 960


def test_names_of_scores_are_known_before_the_first_validation(fabric, recipe, prepared, step):
    validator = Validator(fabric, recipe, prepared)
    assert validator.score_names == list(validator.run(step, step.network).scores())


def test_a_table_shows_percent_and_a_dash_where_there_is_nothing_to_measure():
    counts = ConfusionMatrix(3)
    counts.counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    table = Validation(Legend.of(["roof", "grass", "road"]), {"a": counts}, {"dry": counts}).table()
    assert table == [
        "IoU      all    dry",
        "roof   75.00  75.00",
        "grass  80.00  80.00",
        "road       -      -",
        "mean   77.50  77.50",
    ]


def test_validation_leaves_the_network_as_it_was():
    network, image = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)), torch.ones(1, 2)
    for training in (True, False):
        network.train(training)
        with suppress(ZeroDivisionError), evaluating(network):
            assert not network.training
            assert not network(image).requires_grad
            _ = 1 / 0
        assert network.training == training
    assert network(image).requires_grad


@pytest.mark.parametrize("monitor", ["mean_iou", "mean_f1", "overall_accuracy", "iou road"])
def test_every_score_can_be_monitored(monitor):
    require_monitor(monitor, Legend.of(["roof", "road"]))


@pytest.mark.parametrize(("monitor", "meant"), [("iou rood", "iou road"), ("miou", "mean_iou"), ("mean_iou dry", "")])
def test_a_score_that_validation_does_not_give_is_refused(monitor, meant):
    with pytest.raises(ConfigError, match=f"train.monitor is '{monitor}'") as caught:
        require_monitor(monitor, Legend.of(["river", "road"]))
    assert meant in caught.value.hint
