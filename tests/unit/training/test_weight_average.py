"""Tests of the moving average of weights: its formula, and torch as the oracle."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from geoseg.training.weight_average import AveragedNetwork


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Dropout()).double()


def step(trained: nn.Module) -> None:
    """New weights and statistics."""
    trained(torch.randn(2, 2, 4, 4, dtype=torch.float64))
    for weights in trained.parameters():
        weights.data += torch.randn_like(weights)


@given(st.floats(0.01, 0.9999), st.integers(0, 10_000))
def test_average_equals_the_formula(decay, done):
    trained = network()
    averaged = AveragedNetwork(trained, decay)
    expected = {name: value.clone() for name, value in trained.state_dict().items()}
    for t in range(done + 1, done + 5):
        step(trained)
        averaged.update(trained, t)
        d = min(decay, (1 + t) / (10 + t))
        for name, value in trained.state_dict().items():
            expected[name] = d * expected[name] + (1 - d) * value if value.is_floating_point() else value.clone()
    for name, value in averaged.network.state_dict().items():
        assert torch.allclose(value.double(), expected[name].double(), rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_average_equals_torch_after_the_first_steps(decay):
    trained = network()
    averaged = AveragedNetwork(trained, decay)
    oracle = AveragedModel(trained, multi_avg_fn=get_ema_multi_avg_fn(decay))
    oracle.update_parameters(trained)
    for t in range(100, 120):
        step(trained)
        averaged.update(trained, t)
        oracle.update_parameters(trained)
    for mine, theirs in zip(averaged.network.parameters(), oracle.module.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-12)


def test_averaged_network_is_not_trained():
    trained = network()
    averaged = AveragedNetwork(trained, 0.9)
    assert trained.training
    assert not any(module.training for module in averaged.network.modules())
    assert not any(weights.requires_grad for weights in averaged.network.parameters())
    assert all(weights.requires_grad for weights in trained.parameters())
