"""Enable deterministic kernels, and measure how much slower they are."""

import os
import time
from collections.abc import Mapping
from statistics import median

import torch
from lightning.fabric import Fabric
from torch import Tensor

from geoseg.config.recipe import TrainSection
from geoseg.training.module import TrainingModule

MEASURED_PASSES = 3
"""Number of timed passes, after one warm-up pass."""


def measure_determinism_cost(fabric: Fabric, step: TrainingModule, shape: tuple[int, int, int, int]) -> float:
    """Measure the slowdown of a forward and backward pass with deterministic kernels.

    Weights, running statistics and torch settings are restored afterward.

    Args:
        fabric: The Fabric instance that runs the module.
        step: The training module.
        shape: Shape of the images, (batch, band, row, col).

    Returns:
        Ratio of the median time with deterministic kernels to the median time without them.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    statistics = {name: buffer.clone() for name, buffer in step.named_buffers()}
    image = torch.rand(shape, device=fabric.device)
    target, valid = torch.zeros_like(image[:, 0], dtype=torch.uint8), torch.ones_like(image[:, 0], dtype=torch.bool)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    try:
        for _ in range(MEASURED_PASSES + 1):
            for is_on, times in seconds.items():
                _set_deterministic(is_on, benchmark=not is_on)
                times.append(_time_pass(fabric, step, image, target, valid))
    finally:
        _set_deterministic(before[0], benchmark=before[1])
        _restore_buffers(step, statistics)
    return median(seconds[True][1:]) / median(seconds[False][1:])


def _set_deterministic(is_on: bool, *, benchmark: bool) -> None:
    torch.use_deterministic_algorithms(is_on, warn_only=True)
    torch.backends.cudnn.benchmark = benchmark


def _time_pass(fabric: Fabric, step: TrainingModule, *fields: Tensor) -> float:
    """Return the duration of a forward and backward pass in seconds; gradients are discarded."""
    _synchronize(fabric.device)
    started = time.perf_counter()
    with fabric.autocast():
        loss = step(*fields)
    loss.backward()
    _synchronize(fabric.device)
    taken = time.perf_counter() - started
    step.zero_grad(set_to_none=True)
    return taken


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _restore_buffers(step: TrainingModule, statistics: Mapping[str, Tensor]) -> None:
    for name, buffer in step.named_buffers():
        buffer.copy_(statistics[name])


def set_determinism(train: TrainSection) -> None:
    """Configure torch in this process to use deterministic kernels if ``train.deterministic`` is set."""
    torch.backends.cudnn.benchmark = not train.deterministic
    if train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required by cuBLAS (CUDA toolkit documentation)
    torch.use_deterministic_algorithms(train.deterministic, warn_only=True)
