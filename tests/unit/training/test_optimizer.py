"""Tests of the optimizer and its learning rate schedule."""

import json
import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.config.recipe import TrainSection
from geoseg.training.optimizer import build_optimizer, compute_learning_rate

SCHEDULE_80K = TrainSection(iterations=80_000)


def test_polynomial_schedule_equals_mmengine(golden):
    expected = json.loads((golden / "loss_cases.json").read_text())["poly_closed_form_T79999"]
    for step, rate in expected.items():
        assert compute_learning_rate(SCHEDULE_80K, int(step)) == pytest.approx(rate, rel=1e-12)


@given(st.integers(2, 500), st.sampled_from(["poly", "cosine"]), st.data())
def test_learning_rate_rises_in_the_warm_up_and_then_decreases(iterations, schedule, data):
    warmup = data.draw(st.integers(0, iterations - 1))
    train = TrainSection(iterations=iterations, schedule=schedule, warmup=warmup)
    rates = [compute_learning_rate(train, step) for step in range(iterations)]
    assert all(a < b for a, b in pairwise(rates[:warmup]))
    falling = rates[warmup:]
    assert all(a >= b for a, b in pairwise(falling))
    assert max(rates) <= train.learning_rate * (1 + 1e-12)


@pytest.mark.parametrize("schedule", ["poly", "cosine"])
def test_first_and_last_learning_rate(schedule):
    train = TrainSection(iterations=100, schedule=schedule, learning_rate=0.5, final_learning_rate=0.25)
    assert compute_learning_rate(train, 0) == 0.5
    assert compute_learning_rate(train, 99) == pytest.approx(0.25)


@pytest.mark.parametrize(("name", "kind"), [("sgd", torch.optim.SGD), ("adamw", torch.optim.AdamW)])
def test_optimizer_of_the_recipe_is_built(name, kind):
    train = TrainSection(optimizer=name, learning_rate=0.1, weight_decay=0.01)
    optimizer = build_optimizer([torch.nn.Parameter(torch.zeros(1))], train)
    assert isinstance(optimizer, kind)
    assert math.isclose(optimizer.param_groups[0]["weight_decay"], 0.01)
