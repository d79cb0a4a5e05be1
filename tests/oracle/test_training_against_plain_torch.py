"""Three steps of a training equal three steps written out in plain PyTorch, but for the rounding of a sum of losses."""

import json

import pytest
import torch
from helpers.runs import CLASSES, painted_town, tiny
from lightning.fabric import Fabric
from torch import nn

from geoseg.config.recipe import TrainSection
from geoseg.data.preparation.prepare import prepare
from geoseg.losses.build import build_loss
from geoseg.models.build import build_network
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.module import TrainingModule, choose_normalization
from geoseg.training.optimizer_steps import build_optimizer, compute_learning_rate, iterate_steps

torch.set_num_threads(1)

STEPS = 3
SGD = {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "final_learning_rate": 1e-4, "power": 0.9}
NETWORK = {
    "backbone": "resnet18",
    "head": {"name": "fcn", "channels": 8, "dropout": 0.0},
    "output_stride": 16,
    "auxiliary_weight": 0.4,
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    root = painted_town(tmp_path_factory.mktemp("town"))
    return tiny(root, train={"iterations": STEPS, "batch": 2} | SGD, model=NETWORK)


@pytest.fixture(scope="module")
def prepared(recipe):
    return prepare(recipe.data, "tiny")


def network(recipe) -> nn.Module:
    """The same each time, without dropout."""
    torch.manual_seed(0)
    made = build_network(recipe.model, bands=3, classes=len(CLASSES))
    for module in made.modules():
        if "Dropout" in type(module).__name__:
            module.p = 0.0
    return made


def by_geoseg(recipe, prepared) -> tuple[list[float], nn.Module]:
    """Losses and the trained network."""
    trained = network(recipe)
    step = TrainingModule(
        trained,
        build_loss(recipe.loss, classes=len(CLASSES)),
        choose_normalization(recipe.model, trained, prepared),
        auxiliary_weight=recipe.model.auxiliary_weight,
    )
    fabric = Fabric(accelerator="cpu", devices=1)
    wrapped, optimizer = fabric.setup(step, build_optimizer(trained.parameters(), recipe.train))
    work = iterate_steps(fabric, wrapped, optimizer, TrainingCrops(recipe, prepared).loader(0), recipe.train)
    return [done.loss.item() for done in work], trained


def by_hand(recipe, prepared) -> tuple[list[float], nn.Module]:
    """The same with nothing but torch, on the same crops."""
    trained = network(recipe).train()
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    mean, std = (
        torch.tensor([getattr(band, name) for band in prepared.statistics], dtype=torch.float32).reshape(1, 3, 1, 1)
        for name in ("mean", "std")
    )
    losses = []
    for step, crop in enumerate(TrainingCrops(recipe, prepared).loader(0)):
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 + (0.01 - 1e-4) * (1 - step / (STEPS - 1)) ** 0.9
        images = torch.where(crop.valid[:, None], (crop.image - mean) / std, 0.0)
        logits, auxiliary = trained.logits_with_auxiliary(images)
        target = crop.target.long()
        loss = nn.functional.cross_entropy(logits, target, ignore_index=255)
        loss = loss + 0.4 * nn.functional.cross_entropy(auxiliary, target, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, trained


def test_three_steps_are_those_of_a_plain_loop(recipe, prepared):
    losses, trained = by_geoseg(recipe, prepared)
    expected_losses, expected = by_hand(recipe, prepared)
    assert losses == pytest.approx(expected_losses, rel=1e-7)
    before, after, wanted = (each.state_dict() for each in (network(recipe), trained, expected))
    assert all(torch.allclose(after[name], wanted[name], rtol=0, atol=1e-7) for name in wanted)
    moved = [name for name in after if name.endswith("weight") and not torch.equal(before[name], after[name])]
    assert any("auxiliary" in name for name in moved)
    assert any("backbone" in name for name in moved)


def test_learning_rates_are_those_of_the_closed_form(golden):
    expected = json.loads((golden / "loss_cases.json").read_text())["poly_closed_form_T79999"]
    defaults = TrainSection(iterations=80_000)
    assert {step: compute_learning_rate(defaults, int(step)) for step in expected} == pytest.approx(expected, rel=1e-12)
