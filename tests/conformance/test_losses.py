"""What every loss promises. A loss is tested by being there: they are found by the registry."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from geoseg.losses import losses
from geoseg.losses.base import Loss

CLASSES = 3

every_loss = pytest.mark.parametrize("name", losses.names())
seeds = st.integers(0, 2**32 - 1)


def loss(name: str) -> Loss:
    return losses.build(name, {}, classes=CLASSES, ignore_index=255)


def scene(seed: int, unlabelled: float = 0.3) -> tuple[Tensor, Tensor]:
    """Logits (2, 3, 14, 17) and a target (2, 14, 17) with every class: large enough for losses that look around."""
    noise = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, CLASSES, 14, 17, generator=noise)
    target = torch.randint(0, CLASSES, (2, 14, 17), generator=noise)
    target[torch.rand(target.shape, generator=noise) < unlabelled] = 255
    target[0, 0, :CLASSES] = torch.arange(CLASSES)
    return logits, target


def perfect(target: Tensor) -> Tensor:
    """Logits that are sure of the target, and that it is nothing else."""
    known = torch.where(target == 255, 0, target)
    return 200 * torch.nn.functional.one_hot(known, CLASSES).movedim(-1, 1).float() - 100


@every_loss
@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_a_perfect_prediction_costs_least_and_where_zero_is_promised_nothing(name, seed) -> None:
    logits, target = scene(seed)
    least = loss(name)(perfect(target), target).item()
    assert loss(name)(logits, target).item() > least + 0.1
    if loss(name).perfect_is_zero:
        assert least == pytest.approx(0, abs=1e-6)


@every_loss
@settings(deadline=None, max_examples=20)
@given(seed=seeds, shift=st.floats(-50, 50))
def test_logits_of_unlabelled_pixels_change_nothing(name, seed, shift) -> None:
    logits, target = scene(seed)
    changed = torch.where((target == 255)[:, None], logits.roll(1, dims=1) + shift, logits)
    torch.testing.assert_close(loss(name)(changed, target), loss(name)(logits, target))


@every_loss
@settings(deadline=None, max_examples=20)
@given(seed=seeds, scale=st.sampled_from([0.0, 1.0, 1e4]))
def test_gradients_are_finite_and_none_where_nothing_is_labelled(name, seed, scale) -> None:
    logits, target = scene(seed)
    logits = (scale * logits).requires_grad_()
    loss(name)(logits, target).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert not logits.grad.movedim(1, -1)[target == 255].any()


@every_loss
def test_without_any_labelled_pixel_loss_and_gradient_are_zero(name) -> None:
    logits, target = scene(0)
    logits.requires_grad_()
    value = loss(name)(logits, torch.full_like(target, 255))
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@every_loss
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_targets_of_any_integers_are_the_same(name, dtype) -> None:
    logits, target = scene(1)
    torch.testing.assert_close(loss(name)(logits, target.to(dtype)), loss(name)(logits, target))


@every_loss
def test_half_precision_gives_about_the_same(name) -> None:
    logits, target = scene(2)
    exact, coarse = loss(name)(logits, target), loss(name)(logits.bfloat16(), target)
    torch.testing.assert_close(coarse.float(), exact, rtol=0.05, atol=0)


@every_loss
def test_following_the_gradient_leads_to_what_a_perfect_prediction_costs(name) -> None:
    logits, target = scene(3)
    logits.requires_grad_()
    descent = torch.optim.Adam([logits], lr=0.3)
    course = []
    for _ in range(150):
        descent.zero_grad()
        value = loss(name)(logits, target)
        value.backward()
        descent.step()
        course.append(value.item())
    least = loss(name)(perfect(target), target).item()
    assert course[-1] - least < 0.1 * (course[0] - least)


@every_loss
def test_a_loss_leaves_nothing_in_the_state(name) -> None:
    assert not loss(name).state_dict()
