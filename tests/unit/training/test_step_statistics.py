"""Tests of step statistics: losses and weights that are not finite, speed and summary."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import GeosegError
from geoseg.training.optimizer_steps import StepResult
from geoseg.training.step_statistics import MAX_PENDING_STEPS, SPEED_WINDOW_STEPS, StepStatistics


def step(iteration, loss=1.0, *, seconds=0.5, waited=0.1):
    return StepResult(iteration, torch.tensor(loss), 0.01, seconds, waited)


def make_statistics(fabric, batch=4):
    return StepStatistics(fabric, batch, lambda iteration: f"the crops of {iteration}")


def fake_gpu():
    """Return the part of Fabric that is used, with a GPU as its device."""
    return SimpleNamespace(device=torch.device("cuda"), all_reduce=lambda losses, **_: losses)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_non_finite_loss_is_an_error_that_names_its_crops(fabric, loss):
    statistics = make_statistics(fabric)
    statistics.add(step(7))
    with pytest.raises(GeosegError, match=f"^the loss is {loss} at iteration 7, on the crops of 7$") as caught:
        statistics.add(step(8, loss))
    assert "train.learning_rate" in caught.value.hint


@given(st.integers(2, 3 * MAX_PENDING_STEPS))
def test_losses_on_a_gpu_are_read_in_groups_and_the_first_bad_one_is_named(bad):
    statistics, sync_at = (
        make_statistics(fake_gpu()),
        1 - (1 - bad) // MAX_PENDING_STEPS * MAX_PENDING_STEPS,
    )  # the first is read immediately
    for iteration in range(1, sync_at):
        statistics.add(step(iteration, float("nan") if iteration >= bad else 1.0))
    with pytest.raises(GeosegError, match=f"on the crops of {bad - 1}$"):
        statistics.add(step(sync_at, float("nan")))


def test_synchronize_reads_all_pending_losses():
    statistics = make_statistics(fake_gpu())
    statistics.add(step(1))
    statistics.add(step(2, float("nan")))
    with pytest.raises(GeosegError, match=r"on the crops of 1$"):
        statistics.synchronize()
    statistics.synchronize()


def test_first_loss_on_a_gpu_is_read_immediately():
    statistics = make_statistics(fake_gpu())
    statistics.add(step(1, 0.25))
    assert statistics.summary().startswith("loss 0.250, ")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_weights_are_an_error_with_a_finite_loss(fabric, bad):
    statistics, network = make_statistics(fabric), torch.nn.BatchNorm2d(2)
    statistics.add(step(6, 1.0))
    statistics.require_finite(network, 6)
    network.running_var[1] = bad
    with pytest.raises(GeosegError, match=r"^weights are not finite after iteration 6, on the crops of 5$"):
        statistics.require_finite(network, 6)


def test_speed_is_averaged_over_the_recent_steps(fabric):
    statistics = make_statistics(fabric, batch=4)
    for iteration in range(1, 11):
        statistics.add(step(iteration, seconds=1000.0))
    for iteration in range(11, 11 + SPEED_WINDOW_STEPS):
        statistics.add(step(iteration, seconds=0.5, waited=0.1))
    # Reading losses takes time too.
    assert 0.9 * 8 < statistics.images_per_second <= 8
    assert 0.9 * 0.2 < statistics.wait_share <= 0.2


def test_summary_before_and_after_the_first_step(fabric):
    statistics = make_statistics(fabric)
    assert "0.0 images/s, 0% waiting for data," in statistics.summary()
    statistics.add(step(1, 0.25))
    assert statistics.summary().startswith("loss 0.250, lr 0.01, ")
    assert statistics.values()["loss"] == 0.25
    assert statistics.values()["learning_rate"] == 0.01
    assert 0.01 < statistics.memory_gb < 1000
