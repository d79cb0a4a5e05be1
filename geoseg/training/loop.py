"""The loop: one optimiser step after another, each told to whoever trains.

Learning rate, crops and every random number of a step follow from its number and the seed alone.
"""

import time
from collections.abc import Generator, Iterable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from lightning.fabric import Fabric
from torch import Tensor

from geoseg.config.recipe import TrainSection
from geoseg.data.crops.crop import Crop
from geoseg.training.optimizer import learning_rate


class StepDone(NamedTuple):
    """What is known after an optimiser step."""

    iteration: int
    """Steps done, this one included."""
    loss: Tensor
    """Mean loss of this process's crops, still on the device."""
    learning_rate: float
    """With which the step was done."""
    seconds: float
    """How long it took, as far as the processor knows (a device may be behind)."""
    waited: float
    """How much of that was waiting for crops."""


def steps(
    fabric: Fabric, step: Any, optimizer: Any, crops: Iterable[Crop], train: TrainSection, *, done: int = 0
) -> Generator[StepDone]:
    """Trains from iteration ``done`` to the end, yielding after every step.

    ``step`` and ``optimizer`` are a :class:`~geoseg.training.module.TrainingStep` and its optimiser as Fabric set them up;
    ``crops`` are this process's micro-batches from iteration ``done`` on.
    """
    batches = iter(crops)
    step.train()
    try:
        for iteration in range(done, train.iterations):
            started = time.perf_counter()
            rate = learning_rate(train, iteration)
            for group in optimizer.param_groups:
                group["lr"] = rate
            torch.manual_seed(_seed(train.seed, iteration, fabric.global_rank))
            losses, waited = [], 0.0
            for part in range(train.accumulate):
                before = time.perf_counter()
                crop = fabric.to_device(next(batches))
                waited += time.perf_counter() - before
                is_last = part == train.accumulate - 1
                # Gradients are exchanged between processes once per step, not once per part.
                with nullcontext() if is_last else fabric.no_backward_sync(step):
                    loss = step(crop.image, crop.target, crop.valid) / train.accumulate
                    fabric.backward(loss)
                losses.append(loss.detach())
            if train.clip_gradient is not None:
                fabric.clip_gradients(step, optimizer, max_norm=train.clip_gradient, error_if_nonfinite=False)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            seconds = time.perf_counter() - started
            yield StepDone(iteration + 1, torch.stack(losses).sum(), rate, seconds, waited)
    finally:
        del batches  # ends the processes that cut crops, even while the traceback of an error remembers this frame


def _seed(seed: int, iteration: int, rank: int) -> int:
    """A seed of a step's own (dropout): neighbouring steps share none of their random numbers."""
    mixed = (seed * 0x9E3779B97F4A7C15 + iteration * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB) & (2**63 - 1)
    return mixed ^ (mixed >> 31)
