"""What deterministic kernels cost is measured, and nothing else is changed by it."""

import math

import pytest
import torch
from lightning.fabric import Fabric
from strategies_training import tiny

from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.models.build import build_network
from geoseg.training.determinism import cost_of_determinism
from geoseg.training.module import TrainingStep

SHAPE = (2, 3, 32, 32)


@pytest.fixture
def step(tmp_path):
    recipe = tiny(tmp_path)
    torch.manual_seed(0)
    network = build_network(recipe.model, bands=3, classes=4)
    criterion = build_loss(recipe.loss, classes=4)
    return TrainingStep(network, criterion, Scaling((0.0,) * 3, (1.0,) * 3), auxiliary_weight=0)


def test_it_is_a_ratio_of_times(step):
    cost = cost_of_determinism(Fabric(accelerator="cpu", devices=1), step, SHAPE)
    assert math.isfinite(cost)
    assert cost > 0


@pytest.mark.parametrize("deterministic", [True, False])
def test_weights_statistics_gradients_and_settings_stay(step, deterministic):
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    before = {name: tensor.clone() for name, tensor in step.state_dict().items()}
    try:
        cost_of_determinism(Fabric(accelerator="cpu", devices=1), step, SHAPE)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert all(torch.equal(tensor, before[name]) for name, tensor in step.state_dict().items())
    assert all(parameter.grad is None for parameter in step.parameters())


def test_both_kinds_of_kernels_are_timed(step, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "geoseg.training.determinism._seconds",
        lambda *_: seen.append(torch.are_deterministic_algorithms_enabled()) or (3.0 if seen[-1] else 2.0),
    )
    assert cost_of_determinism(Fabric(accelerator="cpu", devices=1), step, SHAPE) == 1.5
    assert set(seen) == {True, False}
