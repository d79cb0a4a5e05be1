"""Watching: a loss that is no number names its pixels; speed is what it says."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import GeosegError
from geoseg.training.loop import StepDone
from geoseg.training.step_statistics import MEMORY_OF_SPEED, PATIENCE, Watch


def step(iteration, loss=1.0, *, seconds=0.5, waited=0.1):
    return StepDone(iteration, torch.tensor(loss), 0.01, seconds, waited)


def watch(fabric, batch=4):
    return Watch(fabric, batch, lambda iteration: f"the crops of {iteration}")


def a_gpu():
    """What a watch asks of Fabric, as if losses were far away."""
    return SimpleNamespace(device=torch.device("cuda"), all_reduce=lambda losses, **_: losses)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_and_names_its_crops(fabric, loss):
    watching = watch(fabric)
    watching.add(step(7))
    with pytest.raises(GeosegError, match=f"^the loss is {loss} at iteration 7, on the crops of 7$") as caught:
        watching.add(step(8, loss))
    assert "train.learning_rate" in caught.value.hint


@given(st.integers(2, 3 * PATIENCE))
def test_on_a_gpu_losses_are_looked_at_in_turns_and_the_first_bad_one_is_named(bad):
    watching, looks_at = watch(a_gpu()), 1 - (1 - bad) // PATIENCE * PATIENCE  # the first is shown at once
    for iteration in range(1, looks_at):
        watching.add(step(iteration, float("nan") if iteration >= bad else 1.0))
    with pytest.raises(GeosegError, match=f"on the crops of {bad - 1}$"):
        watching.add(step(looks_at, float("nan")))


def test_before_something_is_written_all_losses_are_looked_at():
    watching = watch(a_gpu())
    watching.add(step(1))
    watching.add(step(2, float("nan")))
    with pytest.raises(GeosegError, match=r"on the crops of 1$"):
        watching.settle()
    watching.settle()


def test_on_a_gpu_too_the_first_loss_is_shown_at_once():
    watching = watch(a_gpu())
    watching.add(step(1, 0.25))
    assert watching.line().startswith("loss 0.250, ")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_though_the_loss_is_one(fabric, bad):
    watching, network = watch(fabric), torch.nn.BatchNorm2d(2)
    watching.add(step(6, 1.0))
    watching.require_finite(network, 6)
    network.running_var[1] = bad
    with pytest.raises(GeosegError, match=r"^weights are no numbers after iteration 6, which was on the crops of 5$"):
        watching.require_finite(network, 6)


def test_speed_is_crops_by_seconds_over_the_last_steps(fabric):
    watching = watch(fabric, batch=4)
    for iteration in range(1, 11):
        watching.add(step(iteration, seconds=1000.0))
    for iteration in range(11, 11 + MEMORY_OF_SPEED):
        watching.add(step(iteration, seconds=0.5, waited=0.1))
    # Looking at losses takes its moment too.
    assert 0.9 * 8 < watching.images_per_second <= 8
    assert 0.9 * 0.2 < watching.wait_share <= 0.2


def test_there_is_something_to_say_from_the_first_moment_on(fabric):
    watching = watch(fabric)
    assert "0.0 images/s, 0 % wait," in watching.line()
    watching.add(step(1, 0.25))
    assert watching.line().startswith("loss 0.250, lr 0.01, ")
    assert watching.numbers()["loss"] == 0.25
    assert watching.numbers()["learning_rate"] == 0.01
    assert 0.01 < watching.memory_gb < 1000
