"""Tests of choosing the input normalization: of pretrained weights, or measured."""

import logging

import pytest
import torch
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import noise

from geoseg.bundle import load
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepare import prepare
from geoseg.losses.build import build_loss
from geoseg.models.backbones.resnet import DilatedResNet
from geoseg.models.build import build_network
from geoseg.training.module import TrainingModule
from geoseg.training.normalization_stats import Scaling, choose_normalization, warn_about_units
from geoseg.training.train import train

WEIGHTS = "ResNet18_Weights.SENTINEL2_RGB_MOCO"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two scenes of three bands, 0 to 10000 as Sentinel-2's."""
    image = noise(3, 40, 48, low=1).astype("uint16") * 30
    return data_section(labelled_folder(tmp_path_factory.mktemp("data"), label=striped(40, 48), image=image))


@pytest.fixture(scope="module")
def recipe(data, tmp_path_factory):
    """A run of two steps with torchgeo's weights, from a file made here."""
    file = tmp_path_factory.mktemp("weights") / "downloaded.pth"
    torch.save(DilatedResNet(variant="resnet18b", bands=3, output_stride=16).state_dict(), file)
    small = {"head": {"name": "fcn", "channels": 8}, "output_stride": 16, "auxiliary_weight": 0}
    return Recipe.model_validate(
        {
            "data": data.model_dump(),
            "model": {"backbone": {"name": "torchgeo", "weights": WEIGHTS}, "pretrained": file} | small,
            "train": {"iterations": 2, "batch": 2, "crop": 32, "workers": 0, "validate_every": 2, "device": "cpu"},
            "predict": {"tile": 64, "halo": 8},
        }
    )


def test_torchgeo_run_uses_the_normalization_of_its_weights(recipe, tmp_path):
    trained = train(recipe, runs=tmp_path)
    card = load(trained.path).card
    assert (card.mean, card.std) == ((0.0,) * 3, (10000.0,) * 3)
    assert card.maximum > (3000, 3000, 3000)
    assert card.model.backbone.options == {"weights": WEIGHTS}


def test_module_has_the_normalization_of_the_card(recipe):
    prepared = prepare(recipe.data, "sentinel")
    network = build_network(recipe.model, bands=3, classes=3)
    criterion = build_loss(recipe.loss, classes=3)
    module = TrainingModule(
        network, criterion, choose_normalization(recipe.model, network, prepared), auxiliary_weight=0
    )
    assert module.mean.flatten().tolist() == [0] * 3
    assert module.std.flatten().tolist() == [10000] * 3


def test_normalization_is_measured_without_pretrained_weights(recipe):
    prepared = prepare(recipe.data, "sentinel")
    network = build_network(recipe.model.model_copy(update={"pretrained": False}), bands=3, classes=3)
    assert choose_normalization(recipe.model, network, prepared).mean == tuple(
        band.mean for band in prepared.statistics
    )
    assert choose_normalization(recipe.model, network, prepared).std == tuple(band.std for band in prepared.statistics)


@pytest.mark.parametrize(("divisor", "warns"), [(10_000.0, False), (5e6, True), (10.0, True)])
def test_other_units_than_in_pretraining_cause_a_warning(data, caplog, divisor, warns):
    with caplog.at_level(logging.WARNING, "geoseg"):
        warn_about_units(Scaling((0.0,) * 3, (divisor,) * 3), prepare(data, "sentinel"))
    assert ("other units" in caplog.text) == warns
