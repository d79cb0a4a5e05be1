"""Tests of the measured cost of deterministic kernels."""

import math

import pytest
import torch
from helpers.runs import tiny
from lightning.fabric import Fabric

from geoseg.losses.build import build_loss
from geoseg.models.backbones.base import Scaling
from geoseg.models.build import build_network
from geoseg.training.determinism import measure_determinism_cost
from geoseg.training.module import TrainingModule

SHAPE = (2, 3, 32, 32)


@pytest.fixture
def step(tmp_path):
    recipe = tiny(tmp_path)
    torch.manual_seed(0)
    network = build_network(recipe.model, bands=3, classes=4)
    criterion = build_loss(recipe.loss, classes=4)
    return TrainingModule(network, criterion, Scaling((0.0,) * 3, (1.0,) * 3), auxiliary_weight=0)


def test_cost_is_a_ratio_of_times(step):
    cost = measure_determinism_cost(Fabric(accelerator="cpu", devices=1), step, SHAPE)
    assert math.isfinite(cost)
    assert cost > 0


@pytest.mark.parametrize("deterministic", [True, False])
def test_weights_statistics_gradients_and_settings_are_restored(step, deterministic):
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    before = {name: tensor.clone() for name, tensor in step.state_dict().items()}
    try:
        measure_determinism_cost(Fabric(accelerator="cpu", devices=1), step, SHAPE)
        assert torch.are_deterministic_algorithms_enabled() == deterministic
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert all(torch.equal(tensor, before[name]) for name, tensor in step.state_dict().items())
    assert all(parameter.grad is None for parameter in step.parameters())


def test_both_kinds_of_kernels_are_timed(step, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "geoseg.training.determinism._time_pass",
        lambda *_: seen.append(torch.are_deterministic_algorithms_enabled()) or (3.0 if seen[-1] else 2.0),
    )
    assert measure_determinism_cost(Fabric(accelerator="cpu", devices=1), step, SHAPE) == 1.5
    assert set(seen) == {True, False}
