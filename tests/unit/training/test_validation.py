"""Tests of validation: each labelled pixel counts once for any tiling; domains, published patches, scores."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from geoseg.config.recipe import PredictSection
from geoseg.data.preparation.prepare import prepare
from geoseg.errors import ConfigError
from geoseg.grid.patch_positions import patch_windows
from geoseg.grid.window import Window
from geoseg.legend import IGNORE_INDEX, Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.models.backbones.base import Scaling
from geoseg.training.module import TrainingModule
from geoseg.training.train import require_monitor
from geoseg.training.validation import Validation, Validator, evaluation_mode

SCALING = Scaling((100.0, 110.0, 120.0), (50.0, 60.0, 70.0))


class Pixelwise(nn.Module):
    """A network whose logits of a pixel depend on that pixel only, and therefore not on tiles."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, images):
        return self.layer(images)


@pytest.fixture(scope="module")
def step():
    return TrainingModule(Pixelwise(), nn.Identity(), SCALING, auxiliary_weight=0)


def validate(fabric, recipe, prepared, step, **predict):
    changed = recipe.model_copy(update={"predict": PredictSection(**predict)})
    return Validator(fabric, changed, prepared).run(step, step.network)


def predict_scene(scene, network, window=None):
    """Predict a scene or a window in one pass; return class indices and labels."""
    image, target, _ = scene.read(window or Window(0, 0, scene.height, scene.width))
    mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in SCALING)
    with torch.no_grad():
        logits = network(((torch.from_numpy(image).permute(2, 0, 1) - mean) / std)[None])
    return logits[0].argmax(0).numpy(), target


def count(pairs, classes=3):
    """Count the confusion matrix with numpy."""
    counts = np.zeros((classes, classes), np.int64)
    for mask, target in pairs:
        labelled = target != IGNORE_INDEX
        np.add.at(counts, (target[labelled], mask[labelled]), 1)
    return counts


@given(tile=st.integers(32, 150), halo=st.integers(0, 15), batch=st.integers(1, 5))
@settings(max_examples=20)
def test_each_pixel_counts_once_for_any_tiling(fabric, recipe, prepared, step, tile, halo, batch):
    validation = validate(fabric, recipe, prepared, step, tile=tile, halo=halo, batch=batch)
    assert set(validation.scenes) == {scene.name for scene in prepared.scenes("val")}
    for scene in prepared.scenes("val"):
        assert np.array_equal(validation.scenes[scene.name].counts, count([predict_scene(scene, step.network)]))


def test_pixels_without_label_do_not_count(fabric, recipe, step, tmp_path):
    label = striped(40, 48)
    label[5:20, 7:30] = 255
    folder = labelled_folder(tmp_path, label=label, image=noise(3, 40, 48, low=1))
    prepared = prepare(data_section(folder, ignore=[255]), "holes")
    validation = validate(fabric, recipe, prepared, step, tile=32, halo=4)
    assert validation.total.counts.sum() == 40 * 48 - 15 * 23


def test_domains_are_counted_separately_and_add_up(fabric, recipe, prepared, step):
    validation = validate(fabric, recipe, prepared, step, tile=64, halo=8)
    assert set(validation.domains) == {"dry", "wet"}
    assert np.array_equal(sum(each.counts for each in validation.domains.values()), validation.total.counts)
    for scene in prepared.scenes("val"):
        assert np.array_equal(validation.domains[scene.groups["domain"]].counts, validation.scenes[scene.name].counts)
    scores = validation.scores()
    assert scores["mean_iou dry"] == validation.domains["dry"].mean_iou
    assert scores["mean_iou"] == validation.total.mean_iou
    assert scores["iou road"] == validation.total.iou()[2]


def test_single_domain_is_not_listed(fabric, recipe, prepared, step):
    dry = replace(prepared, all_scenes=tuple(scene for scene in prepared.all_scenes if scene.groups["domain"] == "dry"))
    assert validate(fabric, recipe, dry, step).domains == {}


@pytest.mark.parametrize(("rule", "size"), [("isprs", 512), ("isaid", 896)])
def test_published_patches_count_overlaps_twice(fabric, recipe, step, tmp_path, rule, size):
    label, image = striped(600, 960), noise(3, 600, 960, low=1)
    prepared = prepare(data_section(labelled_folder(tmp_path, label=label, image=image)), "large")
    train = recipe.train.model_copy(update={"validation": rule})
    validation = Validator(fabric, recipe.model_copy(update={"train": train}), prepared).run(step, step.network)
    (scene,) = prepared.scenes("val")
    windows = list(patch_windows(600, 960, rule, size=size))
    assert len(windows) > 1
    assert np.array_equal(
        validation.total.counts, count(predict_scene(scene, step.network, window) for window in windows)
    )
    assert validation.total.counts.sum() > 600 * 960


def test_score_names_equal_scores_of_a_validation(fabric, recipe, prepared, step):
    validator = Validator(fabric, recipe, prepared)
    assert validator.score_names == list(validator.run(step, step.network).scores())


def test_table_shows_percent_and_a_dash_for_undefined_scores():
    counts = ConfusionMatrix(3)
    counts.counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    table = Validation(Legend.of(["roof", "grass", "road"]), {"a": counts}, {"dry": counts}).table()
    assert table == [
        "IoU in percent    all    dry",
        "roof            75.00  75.00",
        "grass           80.00  80.00",
        "road                -      -",
        "mean            77.50  77.50",
    ]


@pytest.mark.parametrize(
    ("counts", "notes"),
    [
        ([[0, 4, 0], [0, 5, 0], [0, 0, 0]], ("the prediction is grass everywhere; the reference has 2 classes",)),
        ([[0, 0, 0], [0, 5, 0], [0, 0, 0]], ()),
        ([[1, 4, 0], [0, 5, 0], [0, 0, 0]], ()),
    ],
)
def test_a_constant_prediction_is_said(counts, notes):
    matrix = ConfusionMatrix(3)
    matrix.counts = np.array(counts)
    assert Validation(Legend.of(["roof", "grass", "road"]), {"a": matrix}, {}).notes == notes


def test_evaluation_mode_is_restored():
    network, image = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)), torch.ones(1, 2)
    for training in (True, False):
        network.train(training)
        with suppress(ZeroDivisionError), evaluation_mode(network):
            assert not network.training
            assert not network(image).requires_grad
            _ = 1 / 0
        assert network.training == training
    assert network(image).requires_grad


@pytest.mark.parametrize("monitor", ["mean_iou", "mean_f1", "overall_accuracy", "iou road"])
def test_every_score_can_be_monitored(monitor):
    require_monitor(monitor, Legend.of(["roof", "road"]))


@pytest.mark.parametrize(
    ("monitor", "suggestion"), [("iou rood", "iou road"), ("miou", "mean_iou"), ("mean_iou dry", "")]
)
def test_unknown_score_is_refused(monitor, suggestion):
    with pytest.raises(ConfigError, match=f"train.monitor: unknown score '{monitor}'") as caught:
        require_monitor(monitor, Legend.of(["river", "road"]))
    assert suggestion in caught.value.hint
