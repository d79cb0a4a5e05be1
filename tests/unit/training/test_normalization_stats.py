"""Which scaling training uses and the card repeats: the weights' own, else the measured one."""

import logging

import pytest
import torch
from strategies_data import data_section, labelled_folder, striped
from strategies_raster import noise

from geoseg.bundle import load
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepare import prepare
from geoseg.losses.build import build_loss
from geoseg.models.backbones.resnet import ZooResNet
from geoseg.models.build import build_network
from geoseg.training.module import TrainingStep
from geoseg.training.normalization_stats import Scaling, scaling, warn_of_other_units
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
    torch.save(ZooResNet(variant="resnet18b", bands=3, output_stride=16).state_dict(), file)
    small = {"head": {"name": "fcn", "channels": 8}, "output_stride": 16, "auxiliary_weight": 0}
    return Recipe.model_validate(
        {
            "data": data.model_dump(),
            "model": {"backbone": {"name": "torchgeo", "weights": WEIGHTS}, "pretrained": file} | small,
            "train": {"iterations": 2, "batch": 2, "crop": 32, "workers": 0, "validate_every": 2, "device": "cpu"},
            "predict": {"tile": 64, "halo": 8},
        }
    )


def test_a_torchgeo_run_trains_and_predicts_with_the_weights_own_scaling(recipe, tmp_path):
    trained = train(recipe, runs=tmp_path)
    card = load(trained.path).card
    assert (card.mean, card.std) == ((0.0,) * 3, (10000.0,) * 3)
    assert card.maximum > (3000, 3000, 3000)
    assert card.model.backbone.options == {"weights": WEIGHTS}


def test_the_training_step_sees_what_the_card_says(recipe):
    prepared = prepare(recipe.data, "sentinel")
    network = build_network(recipe.model, bands=3, classes=3)
    criterion = build_loss(recipe.loss, classes=3)
    module = TrainingStep(network, criterion, scaling(recipe.model, network, prepared), auxiliary_weight=0)
    assert module.mean.flatten().tolist() == [0] * 3
    assert module.std.flatten().tolist() == [10000] * 3


def test_without_a_scaling_of_its_own_the_scenes_are_measured(recipe):
    prepared = prepare(recipe.data, "sentinel")
    network = build_network(recipe.model.model_copy(update={"pretrained": False}), bands=3, classes=3)
    assert scaling(recipe.model, network, prepared).mean == tuple(band.mean for band in prepared.statistics)
    assert scaling(recipe.model, network, prepared).std == tuple(band.std for band in prepared.statistics)


@pytest.mark.parametrize(("divisor", "warns"), [(10_000.0, False), (5e6, True), (10.0, True)])
def test_pixels_in_other_units_than_the_weights_know_are_warned_of(data, caplog, divisor, warns):
    with caplog.at_level(logging.WARNING, "geoseg"):
        warn_of_other_units(Scaling((0.0,) * 3, (divisor,) * 3), prepare(data, "sentinel"))
    assert ("other units" in caplog.text) == warns
