"""A gap to oneself is none, a gap that was made is found, and labels are not looked at."""

import json

import numpy as np
import pytest
import torch
from strategies_inference import bundle, pixels, threshold_bundle, write_scene
from torch import nn

from geoseg.errors import ConfigError, SceneError
from geoseg.evaluation.domain_shift.batchnorm_stats import distances, norms_of, watching_norms
from geoseg.evaluation.domain_shift.domains import side_of
from geoseg.evaluation.domain_shift.measure_shift import gap_json, measure_gap, wasserstein
from geoseg.evaluation.domain_shift.shift_report import write_gap

BRIGHTER = 3


class Normed(nn.Module):
    """A convolution, a norm that has learnt what the usual scenes look like, and logits."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.norm, self.last = nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)

    def forward(self, images):
        return self.last(self.norm(self.first(images)).relu())


@pytest.fixture(scope="module")
def model():
    """A model whose norm saw scenes like those of the side ``near``."""
    network = Normed()
    network.norm.momentum = None  # plain averages
    with torch.no_grad():
        for seed in range(8):
            values = torch.from_numpy(pixels(64, 64, seed=100 + seed)).float()[None]
            network.train()(values - 4)
    return bundle(network, tile=64, halo=0)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Folders ``near`` and ``far``: the same noise, in ``far`` three steps brighter."""
    folder = tmp_path_factory.mktemp("gap")
    for side, more in (("near", 0), ("far", BRIGHTER)):
        (folder / side).mkdir()
        for seed in range(3):
            write_scene(folder / side / f"{seed}.tif", pixels(64, 64, seed=seed) + np.uint8(more))
    return folder


def measured(town, target, source=None, model=None):
    return measure_gap(str(town / target), source and str(town / source), model=model, crops=6, device="cpu")


def test_there_is_no_gap_to_oneself(town, model):
    gap = measured(town, "near", "near", model)
    assert gap.prior_shift == 0
    assert all((band.shift, band.distance) == (0, 0) for band in gap.bands)
    assert gap.source.norms == gap.target.norms


def test_a_brighter_target_is_found_in_pixels_classes_and_features(town, model):
    gap = measured(town, "far", "near", model)
    for band in gap.bands:
        assert band.target_mean - band.source_mean == pytest.approx(BRIGHTER)
        assert band.shift == pytest.approx(band.distance) == pytest.approx(BRIGHTER / band.source_std)
    assert gap.prior_shift > 0.02
    assert gap.target.norms["norm"] > 3 * gap.source.norms["norm"]
    assert gap.source.norms["norm"] < 0.1


def test_a_models_card_stands_for_its_training_data(town, model):
    gap = measured(town, "far", model=model)
    assert (gap.source, gap.prior_shift) == (None, None)
    assert [(band.source_mean, band.source_std) for band in gap.bands] == [(4.0, 1.0)] * 2
    assert all(band.distance is None for band in gap.bands)


def test_without_a_model_pixels_are_compared_and_nothing_else(town):
    gap = measured(town, "far", "near")
    assert gap.card is None
    assert gap.prior_shift is None
    assert set(gap_json(gap)["target_look"]) == {"windows"}


def test_without_source_and_model_there_is_nothing_to_compare(town):
    with pytest.raises(ConfigError, match="nothing to compare"):
        measured(town, "near")


def test_shares_of_classes_and_of_confidence_are_those_of_all_pixels(town, model):
    look = measured(town, "near", "near", model).target
    assert look.shares.sum() == pytest.approx(1)
    assert look.windows == 3  # each scene holds a single one
    assert look.confidence.sum() == look.entropy.sum() == look.windows * 64 * 64


def test_scenes_without_valid_pixels_are_a_sentence(tmp_path):
    empty = write_scene(tmp_path / "empty.tif", np.zeros((1, 40, 40), np.uint8), nodata=0)
    with pytest.raises(SceneError, match="no window with enough valid pixels"):
        measure_gap(str(empty), str(empty), model=threshold_bundle(), device="cpu")


@pytest.mark.parametrize("source", ["near", None])
def test_page_and_json_say_the_same(town, model, tmp_path, source):
    gap = measured(town, "far", source, model)
    page = write_gap(gap, tmp_path / "gap.html")
    text, content = page.read_text("utf-8"), json.loads(page.with_suffix(".json").read_text())
    assert "http" not in text
    assert "No label was looked at" in text
    assert [band["name"] for band in content["bands"]] == ["red", "green"]
    assert content["target_look"]["mean_confidence"] == pytest.approx(
        np.average(np.arange(255) / 254, weights=gap.target.confidence)
    )


def test_a_side_may_be_a_split_and_its_labels_are_not_opened(town, monkeypatch, tmp_path):
    def opened(*_, **__):
        raise AssertionError("a label was looked at")

    monkeypatch.setattr("geoseg.data.label_reader.LabelReader.__post_init__", opened)
    recipe = tmp_path / "town.yaml"
    recipe.write_text(
        "data: {dataset: folder, images: 'near/{name}.tif', labels: 'far/{name}.tif', encoding_kind: index,"
        " legend: [a, b], splits: {train: ['0'], val: ['1', '2']}}"
    )
    side = side_of(f"{recipe}:val", [f"data.root={town}"])
    assert [scene.scene.name for scene in side.scenes] == ["1", "2"]
    assert len(side_of(str(recipe), [f"data.root={town}"]).scenes) == 1
    gap = measure_gap(f"{recipe}:val", str(town / "far"), overrides=[f"data.root={town}"], crops=2)
    assert gap.target.windows == 2


def test_a_norm_that_sees_what_it_learnt_is_not_far_and_hooks_are_gone_afterwards():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(4, momentum=None))
    images = torch.randn(16, 4, 32, 32) * 3 + 5
    network.train()(images)
    network.eval()
    with watching_norms(network) as seen:
        network(images)
    assert distances(network, seen)["0"] < 0.02
    with watching_norms(network) as seen:
        network(images + 3)
    assert distances(network, seen)["0"] == pytest.approx(1, abs=0.02)
    assert not any(norm._forward_pre_hooks for norm in norms_of(network).values())


def test_the_distance_of_two_samples_is_how_far_pixels_would_move():
    sample = np.random.default_rng(1).normal(size=5000)
    assert wasserstein(sample, sample) == 0
    assert wasserstein(sample, sample + 2) == pytest.approx(2)
    assert wasserstein(np.zeros(9), np.array([0.0] * 8 + [9])) == pytest.approx(1, abs=0.5)
