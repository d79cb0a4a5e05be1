"""The optimizer, its learning rate schedule, and the training loop: a generator that yields after each optimizer step.

The learning rate, crops and random numbers of a step depend only on the step number and the seed.
"""

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from geoseg.config.recipe import TrainSection
from geoseg.data.crops.read_crop import Crop


def build_optimizer(parameters: Iterable[Parameter], train: TrainSection) -> Optimizer:
    """Build the optimizer from a train section. Weight decay applies to all parameters, as in mmsegmentation."""
    if train.optimizer == "adamw":
        return AdamW(parameters, lr=train.learning_rate, weight_decay=train.weight_decay)
    return SGD(parameters, lr=train.learning_rate, momentum=train.momentum, weight_decay=train.weight_decay)


def compute_learning_rate(train: TrainSection, step: int) -> float:
    """Compute the learning rate at a step: linear warm-up, then decay to the final learning rate.

    The polynomial schedule is that of mmengine's ``PolyLR``: end + (start - end) (1 - t)^power with
    t = step / (iterations - 1).

    Args:
        train: Train section of a recipe.
        step: Step number, from 0 to iterations - 1.
    """
    if step < train.warmup:
        return train.learning_rate * (step + 1) / (train.warmup + 1)
    decays: dict[str, Callable[[float], float]] = {
        "poly": lambda t: (1 - t) ** train.power,
        "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
    }
    t = min((step - train.warmup) / max(train.iterations - train.warmup - 1, 1), 1.0)
    return train.final_learning_rate + (train.learning_rate - train.final_learning_rate) * decays[train.schedule](t)


class StepResult(NamedTuple):
    """The result of an optimizer step."""

    iteration: int
    """Number of completed steps, including this one."""
    loss: Tensor
    """Mean loss over the crops of this process, on the device."""
    learning_rate: float
    """Learning rate of the step."""
    seconds: float
    """Duration on the host in seconds; the device may still be computing."""
    waited: float
    """Seconds spent waiting for crops."""


def iterate_steps(
    fabric: Fabric, step: Any, optimizer: Any, crops: Iterable[Crop], train: TrainSection, *, done: int = 0
) -> Generator[StepResult]:
    """Train from iteration ``done`` to the end, yielding after every step.

    Args:
        fabric: The Fabric instance that runs the training.
        step: A :class:`~geoseg.training.module.TrainingModule`, set up by Fabric.
        optimizer: The optimizer, set up by Fabric.
        crops: Micro-batches of this process, starting at iteration ``done``.
        train: Train section of the recipe.
        done: Number of completed iterations.
    """
    batches = iter(crops)
    step.train()
    try:
        for iteration in range(done, train.iterations):
            started = time.perf_counter()
            rate = compute_learning_rate(train, iteration)
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(_seed(train.seed, iteration, fabric.global_rank))
            losses, waited = [], 0.0
            for part in range(train.accumulate):
                before = time.perf_counter()
                crop = fabric.to_device(next(batches))
                waited += time.perf_counter() - before
                is_last = part == train.accumulate - 1
                # Gradients are synchronized between processes once per step, not once per micro-batch.
                with nullcontext() if is_last else fabric.no_backward_sync(step):
                    loss = step(crop.image, crop.target, crop.valid) / train.accumulate
                    fabric.backward(loss)
                losses.append(loss.detach())
            if train.clip_gradient is not None:
                fabric.clip_gradients(step, optimizer, max_norm=train.clip_gradient, error_if_nonfinite=False)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            seconds = time.perf_counter() - started
            yield StepResult(iteration + 1, torch.stack(losses).sum(), rate, seconds, waited)
    finally:
        del batches  # ends the worker processes, even if a traceback keeps this frame alive


def _seed(seed: int, iteration: int, rank: int) -> int:
    """Return the random seed of a step (for dropout), which differs between steps and ranks."""
    mixed = (seed * 0x9E3779B97F4A7C15 + iteration * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB) & (2**63 - 1)
    return mixed ^ (mixed >> 31)
