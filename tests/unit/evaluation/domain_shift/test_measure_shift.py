"""A shift to oneself is none, a shift that was made is found, and labels are not looked at."""

import json

import numpy as np
import pytest
import torch
from helpers.models import bundle, pixels, threshold_bundle, write_scene
from torch import nn

from geoseg.errors import ConfigError, SceneError
from geoseg.evaluation.domain_shift.batchnorm_stats import batchnorm_distances, batchnorm_layers, record_batchnorm_stats
from geoseg.evaluation.domain_shift.domains import resolve_domain
from geoseg.evaluation.domain_shift.measure_shift import measure_shift, shift_to_dict, wasserstein
from geoseg.evaluation.domain_shift.shift_report import write_shift_report

BRIGHTER = 3


class Normed(nn.Module):
    """A convolution, a norm that has learnt what the usual scenes profile like, and logits."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.norm, self.last = nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 1)

    def forward(self, images):
        return self.last(self.norm(self.first(images)).relu())


@pytest.fixture(scope="module")
def model():
    """A model whose norm saw scenes like those of the domain ``near``."""
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
    for domain, more in (("near", 0), ("far", BRIGHTER)):
        (folder / domain).mkdir()
        for seed in range(3):
            write_scene(folder / domain / f"{seed}.tif", pixels(64, 64, seed=seed) + np.uint8(more))
    return folder


def measured(town, target, source=None, model=None):
    return measure_shift(str(town / target), source and str(town / source), model=model, crops=6, device="cpu")


def test_there_is_no_gap_to_oneself(town, model):
    shift = measured(town, "near", "near", model)
    assert shift.prior_shift == 0
    assert all((band.shift, band.distance) == (0, 0) for band in shift.bands)
    assert shift.source.batchnorm == shift.target.batchnorm


def test_a_brighter_target_is_found_in_pixels_classes_and_features(town, model):
    shift = measured(town, "far", "near", model)
    for band in shift.bands:
        assert band.target_mean - band.source_mean == pytest.approx(BRIGHTER)
        assert band.shift == pytest.approx(band.distance) == pytest.approx(BRIGHTER / band.source_std)
    assert shift.prior_shift > 0.02
    assert shift.target.batchnorm["norm"] > 3 * shift.source.batchnorm["norm"]
    assert shift.source.batchnorm["norm"] < 0.1


def test_a_models_card_stands_for_its_training_data(town, model):
    shift = measured(town, "far", model=model)
    assert (shift.source, shift.prior_shift) == (None, None)
    assert [(band.source_mean, band.source_std) for band in shift.bands] == [(4.0, 1.0)] * 2
    assert all(band.distance is None for band in shift.bands)


def test_without_a_model_pixels_are_compared_and_nothing_else(town):
    shift = measured(town, "far", "near")
    assert shift.card is None
    assert shift.prior_shift is None
    assert set(shift_to_dict(shift)["target_look"]) == {"windows"}


def test_without_source_and_model_there_is_nothing_to_compare(town):
    with pytest.raises(ConfigError, match="nothing to compare"):
        measured(town, "near")


def test_shares_of_classes_and_of_confidence_are_those_of_all_pixels(town, model):
    profile = measured(town, "near", "near", model).target
    assert profile.class_shares.sum() == pytest.approx(1)
    assert profile.windows == 3  # each scene holds a single one
    assert profile.confidence.sum() == profile.entropy.sum() == profile.windows * 64 * 64


def test_scenes_without_valid_pixels_are_a_sentence(tmp_path):
    empty = write_scene(tmp_path / "empty.tif", np.zeros((1, 40, 40), np.uint8), nodata=0)
    with pytest.raises(SceneError, match=r"no window of .* has enough valid pixels"):
        measure_shift(str(empty), str(empty), model=threshold_bundle(), device="cpu")


@pytest.mark.parametrize("source", ["near", None])
def test_page_and_json_say_the_same(town, model, tmp_path, source):
    shift = measured(town, "far", source, model)
    page = write_shift_report(shift, tmp_path / "gap.html")
    text, content = page.read_text("utf-8"), json.loads(page.with_suffix(".json").read_text())
    assert "http" not in text
    assert "Labels are not used" in text
    assert [band["name"] for band in content["bands"]] == ["red", "green"]
    assert content["target_look"]["mean_confidence"] == pytest.approx(
        np.average(np.arange(255) / 254, weights=shift.target.confidence)
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
    domain = resolve_domain(f"{recipe}:val", [f"data.root={town}"])
    assert [scene.scene.name for scene in domain.scenes] == ["1", "2"]
    assert len(resolve_domain(str(recipe), [f"data.root={town}"]).scenes) == 1
    shift = measure_shift(f"{recipe}:val", str(town / "far"), overrides=[f"data.root={town}"], crops=2)
    assert shift.target.windows == 2


def test_a_norm_that_sees_what_it_learnt_is_not_far_and_hooks_are_gone_afterwards():
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm2d(4, momentum=None))
    images = torch.randn(16, 4, 32, 32) * 3 + 5
    network.train()(images)
    network.eval()
    with record_batchnorm_stats(network) as seen:
        network(images)
    assert batchnorm_distances(network, seen)["0"] < 0.02
    with record_batchnorm_stats(network) as seen:
        network(images + 3)
    assert batchnorm_distances(network, seen)["0"] == pytest.approx(1, abs=0.02)
    assert not any(norm._forward_pre_hooks for norm in batchnorm_layers(network).values())


def test_the_distance_of_two_samples_is_how_far_pixels_would_move():
    sample = np.random.default_rng(1).normal(size=5000)
    assert wasserstein(sample, sample) == 0
    assert wasserstein(sample, sample + 2) == pytest.approx(2)
    assert wasserstein(np.zeros(9), np.array([0.0] * 8 + [9])) == pytest.approx(1, abs=0.5)
