"""Tests of the training module: normalization, main and auxiliary loss, memory format."""

import logging

import pytest
import torch
from helpers.prepared import data_section, labelled_folder, striped
from helpers.rasters import noise
from torch import nn

from geoseg.bundle import load
from geoseg.config.component_spec import WeightedComponent
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepare import prepare
from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.models.backbones.resnet import DilatedResNet
from geoseg.models.build import build_network
from geoseg.training.module import TrainingModule, choose_normalization, warn_about_units
from geoseg.training.train import train


class TwoHeads(nn.Module):
    """A network whose logits are its images, and whose auxiliary logits are their double."""

    def __init__(self, *, auxiliary: bool) -> None:
        super().__init__()
        self.auxiliary = auxiliary

    def logits_with_auxiliary(self, images):
        return images, 2 * images if self.auxiliary else None


@pytest.mark.parametrize("weight", [0.0, 0.4, None])
def test_auxiliary_loss_is_weighted(weight):
    criterion = build_loss([WeightedComponent(name="cross_entropy")], classes=3)
    mean, std = (1.0, 2.0, 3.0), (2.0, 4.0, 8.0)
    step = TrainingModule(
        TwoHeads(auxiliary=weight is not None), criterion, Scaling(mean, std), auxiliary_weight=weight or 0.0
    )
    image = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    target = torch.randint(0, 3, (2, 5, 7), dtype=torch.uint8)
    scaled = (image - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    expected = nn.functional.cross_entropy(scaled, target.long())
    expected = expected + (weight or 0) * nn.functional.cross_entropy(2 * scaled, target.long())
    assert torch.allclose(step(image, target, torch.ones(2, 5, 7, dtype=torch.bool)), expected)


def test_nodata_pixels_are_normalized_to_zero():
    step = TrainingModule(TwoHeads(auxiliary=False), nn.Identity(), Scaling((5.0,), (2.0,)), auxiliary_weight=0)
    scaled = step.normalize(torch.full((1, 1, 2, 2), 9), torch.tensor([[[True, False], [True, True]]]))
    assert scaled.flatten().tolist() == [2, 0, 2, 2]


def test_memory_format_applies_to_images_and_weights():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    step = TrainingModule(net, nn.Identity(), Scaling((1.0,) * 3, (2.0,) * 3), auxiliary_weight=0)
    image, valid = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8), torch.ones(2, 5, 7, dtype=torch.bool)
    before = step.normalize(image, valid)
    step.set_memory_format(torch.channels_last)
    after = step.normalize(image, valid)
    assert torch.equal(before, after)
    assert not after.is_contiguous()
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in (after, net[0].weight))


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
    assert ("do not have the units" in caplog.text) == warns
