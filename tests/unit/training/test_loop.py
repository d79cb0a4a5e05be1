"""The loop: what a step does follows from its number and the seed alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD

from geoseg.config.recipe import TrainSection
from geoseg.data.crops.crop import Crop
from geoseg.training.loop import _seed, steps
from geoseg.training.optimizer import learning_rate


class Noisy(nn.Module):
    """A step that is linear in its one weight vector, with dropout if wanted."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.dropout = nn.Dropout(dropout)

    def forward(self, image, _target, _valid):
        return (self.dropout(image.mean((0, 2, 3))) * self.weight).sum()


def section(**changes) -> TrainSection:
    return TrainSection(**({"iterations": 6, "batch": 4, "warmup": 2, "learning_rate": 0.1} | changes))


def crops(train, done=0):
    """Micro-batches from an iteration on; crop n holds the number n."""
    each = train.batch // train.accumulate
    for first in range(done * train.batch, train.iterations * train.batch, each):
        image = torch.arange(first, first + each, dtype=torch.float64)[:, None, None, None].expand(-1, 3, 2, 2)
        yield Crop(image, torch.zeros(each, 2, 2), torch.ones(each, 2, 2, dtype=torch.bool))


def trained(fabric, train, step, *, done=0, optimizer=None):
    """The weights after each step, and what was told of it."""
    optimizer = optimizer or SGD(step.parameters(), lr=7)
    wrapped, wrapped_optimizer = fabric.setup(step, optimizer)
    work = steps(fabric, wrapped, wrapped_optimizer, crops(train, done), train, done=done)
    return [(each, step.weight.detach().clone()) for each in work]


def test_every_step_is_done_at_the_rate_of_its_number(fabric):
    train, before = section(), torch.ones(3, dtype=torch.float64)
    for number, (each, after) in enumerate(trained(fabric, train, Noisy())):
        gradient = 4 * number + 1.5
        assert each.iteration == number + 1
        assert each.learning_rate == learning_rate(train, number)
        assert torch.allclose(after, before - learning_rate(train, number) * gradient, rtol=1e-12)
        before = after


@given(done=st.integers(1, 6))
def test_a_training_that_goes_on_ends_like_one_that_was_never_interrupted(fabric, done):
    whole = trained(fabric, section(), Noisy(0.5))
    step = Noisy(0.5)
    step.weight.data.copy_(whole[done - 1][1])
    rest = trained(fabric, section(), step, done=done)
    assert [each.iteration for each, _ in rest] == list(range(done + 1, 7))
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rest, whole[done:], strict=True))


def test_dropout_differs_from_step_to_step_and_from_seed_to_seed(fabric):
    dropped = [[each.loss.item() for each, _ in trained(fabric, section(seed=seed), Noisy(0.5))] for seed in (0, 0, 1)]
    assert dropped[0] == dropped[1] != dropped[2]


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_add_up_to_the_batch(fabric, parts):
    whole, divided = (trained(fabric, section(accumulate=n), Noisy()) for n in (1, parts))
    for (one, weights), (other, same) in zip(whole, divided, strict=True):
        assert torch.allclose(weights, same, rtol=1e-12)
        assert one.loss.item() == pytest.approx(other.loss.item(), rel=1e-12)


def test_a_gradient_is_no_longer_than_the_recipe_allows(fabric):
    train = section(clip_gradient=0.5)
    before = torch.ones(3, dtype=torch.float64)
    for each, after in trained(fabric, train, Noisy()):
        assert (after - before).norm().item() == pytest.approx(0.5 * each.learning_rate, rel=1e-5)
        before = after


def test_waiting_for_crops_is_part_of_the_time_of_a_step(fabric):
    for each, _ in trained(fabric, section(), Noisy()):
        assert 0 <= each.waited <= each.seconds


counts = st.tuples(st.integers(0, 2**31), st.integers(0, 10**7), st.integers(0, 4096))


@given(counts, counts)
def test_seeds_of_other_steps_and_other_processes_are_other_seeds(one, other):
    assert (_seed(*one) == _seed(*other)) == (one == other)
    torch.manual_seed(_seed(*one))
