"""What ``deterministic: true`` costs: a few passes with it and without, on noise."""

import time
from collections.abc import Mapping
from statistics import median

import torch
from lightning.fabric import Fabric
from torch import Tensor

from geoseg.training.module import TrainingStep

ROUNDS = 3
"""Passes that count; one before them finds kernels and memory."""


def cost_of_determinism(fabric: Fabric, step: TrainingStep, shape: tuple[int, int, int, int]) -> float:
    """How many times as long a forward and backward pass takes when only deterministic kernels are allowed.

    ``shape`` is that of the images: (batch, band, row, col). A median; weights, running statistics and torch's settings
    are afterwards what they were.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    statistics = {name: buffer.clone() for name, buffer in step.named_buffers()}
    image = torch.rand(shape, device=fabric.device)
    target, valid = torch.zeros_like(image[:, 0], dtype=torch.uint8), torch.ones_like(image[:, 0], dtype=torch.bool)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    try:
        for _ in range(ROUNDS + 1):
            for wanted, taken in seconds.items():
                _allow_only_deterministic(wanted, benchmark=not wanted)
                taken.append(_seconds(fabric, step, image, target, valid))
    finally:
        _allow_only_deterministic(before[0], benchmark=before[1])
        _restore(step, statistics)
    return median(seconds[True][1:]) / median(seconds[False][1:])


def _allow_only_deterministic(wanted: bool, *, benchmark: bool) -> None:
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    torch.backends.cudnn.benchmark = benchmark


def _seconds(fabric: Fabric, step: TrainingStep, *fields: Tensor) -> float:
    """How long a pass takes; gradients are thrown away."""
    _wait_for(fabric.device)
    started = time.perf_counter()
    with fabric.autocast():
        loss = step(*fields)
    loss.backward()
    _wait_for(fabric.device)
    taken = time.perf_counter() - started
    step.zero_grad(set_to_none=True)
    return taken


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _restore(step: TrainingStep, statistics: Mapping[str, Tensor]) -> None:
    for name, buffer in step.named_buffers():
        buffer.copy_(statistics[name])
