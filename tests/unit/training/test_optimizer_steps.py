"""Tests of the training loop: a step depends only on its number and the seed."""

import json
import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from geoseg.config.recipe import TrainSection
from geoseg.data.crops.read_crop import Crop
from geoseg.training.optimizer_steps import _seed, build_optimizer, compute_learning_rate, iterate_steps


class Noisy(nn.Module):
    """A module that is linear in its one weight vector, with optional dropout."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.dropout = nn.Dropout(dropout)

    def forward(self, image, _target, _valid):
        return (self.dropout(image.mean((0, 2, 3))) * self.weight).sum()


def section(**changes) -> TrainSection:
    return TrainSection(**({"iterations": 6, "batch": 4, "warmup": 2, "learning_rate": 0.1} | changes))


def crops(train, done=0):
    """Yield micro-batches from an iteration on; the pixels of crop n have the value n."""
    each = train.batch // train.accumulate
    for first in range(done * train.batch, train.iterations * train.batch, each):
        image = torch.arange(first, first + each, dtype=torch.float64)[:, None, None, None].expand(-1, 3, 2, 2)
        yield Crop(image, torch.zeros(each, 2, 2), torch.ones(each, 2, 2, dtype=torch.bool))


def run_loop(fabric, train, step, *, done=0, optimizer=None):
    """Return the result of each step and the weights after it."""
    optimizer = optimizer or SGD(step.parameters(), lr=7)
    wrapped, fabric_optimizer = fabric.setup(step, optimizer)
    work = iterate_steps(fabric, wrapped, fabric_optimizer, crops(train, done), train, done=done)
    return [(each, step.weight.detach().clone()) for each in work]


def test_step_uses_the_learning_rate_of_its_number(fabric):
    train, before = section(), torch.ones(3, dtype=torch.float64)
    for number, (each, after) in enumerate(run_loop(fabric, train, Noisy())):
        gradient = 4 * number + 1.5
        assert each.iteration == number + 1
        assert each.learning_rate == compute_learning_rate(train, number)
        assert torch.allclose(after, before - compute_learning_rate(train, number) * gradient, rtol=1e-12)
        before = after


@given(done=st.integers(1, 6))
def test_resumed_loop_equals_uninterrupted_loop(fabric, done):
    full = run_loop(fabric, section(), Noisy(0.5))
    step = Noisy(0.5)
    step.weight.data.copy_(full[done - 1][1])
    rest = run_loop(fabric, section(), step, done=done)
    assert [each.iteration for each, _ in rest] == list(range(done + 1, 7))
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rest, full[done:], strict=True))


def test_dropout_differs_between_steps_and_seeds(fabric):
    dropped = [[each.loss.item() for each, _ in run_loop(fabric, section(seed=seed), Noisy(0.5))] for seed in (0, 0, 1)]
    assert dropped[0] == dropped[1] != dropped[2]


@pytest.mark.parametrize("parts", [2, 4])
def test_micro_batches_add_up_to_the_batch(fabric, parts):
    full, divided = (run_loop(fabric, section(accumulate=n), Noisy()) for n in (1, parts))
    for (one, weights), (other, same) in zip(full, divided, strict=True):
        assert torch.allclose(weights, same, rtol=1e-12)
        assert one.loss.item() == pytest.approx(other.loss.item(), rel=1e-12)


def test_gradient_is_clipped_to_its_maximum_norm(fabric):
    train = section(clip_gradient=0.5)
    before = torch.ones(3, dtype=torch.float64)
    for each, after in run_loop(fabric, train, Noisy()):
        assert (after - before).norm().item() == pytest.approx(0.5 * each.learning_rate, rel=1e-5)
        before = after


def test_time_of_a_step_includes_waiting_for_crops(fabric):
    for each, _ in run_loop(fabric, section(), Noisy()):
        assert 0 <= each.waited <= each.seconds


counts = st.tuples(st.integers(0, 2**31), st.integers(0, 10**7), st.integers(0, 4096))


@given(counts, counts)
def test_seeds_differ_between_steps_and_processes(one, other):
    assert (_seed(*one) == _seed(*other)) == (one == other)
    torch.manual_seed(_seed(*one))


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
