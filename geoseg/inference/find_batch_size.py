"""Choose the number of tiles per forward pass."""

import time
from collections.abc import Callable

import numpy as np
import torch
from affine import Affine

from geoseg.errors import GeosegError
from geoseg.grid.grid import Grid
from geoseg.inference.predictor import Predictor
from geoseg.raster.raster import Raster

CPU_BATCH = 4
"""Tiles per forward pass on a CPU, where larger batches are not faster."""

MAX_BATCH = 64
"""Maximum number of tiles per forward pass."""

MIN_SPEEDUP = 1.03
"""Minimum speedup per tile at which the batch size is doubled."""


def choose_batch_size(requested: int | None, predictor: Predictor, tile: int) -> int:
    """Choose the number of tiles per forward pass.

    Args:
        requested: The number requested by the user; None for a fixed number on CPUs, and for the fastest one on GPUs.
        predictor: The network on its device.
        tile: Side length of a tile in pixels.
    """
    if requested is not None:
        return requested
    if predictor.device.type != "cuda":
        return CPU_BATCH
    return find_fastest_batch(lambda batch: measure_pass(predictor, tile, batch))


def find_fastest_batch(measure: Callable[[int], float]) -> int:
    """Find the smallest power of two that is about as fast per tile as any larger batch size.

    Args:
        measure: Function that returns the duration, in seconds, of a forward pass with a batch size; raises
            :class:`GeosegError` if the batch does not fit in memory.
    """
    best, per_tile = 1, measure(1)
    while 2 * best <= MAX_BATCH:
        try:
            doubled = measure(2 * best) / (2 * best)
        except GeosegError:
            break
        if doubled * MIN_SPEEDUP > per_tile:
            break
        best, per_tile = 2 * best, doubled
    return best


def measure_pass(predictor: Predictor, tile: int, batch: int, *, passes: int = 3) -> float:
    """Measure the median duration, in seconds, of a forward pass on random input, after one warm-up pass.

    Args:
        predictor: The network on its device.
        tile: Side length of the images in pixels.
        batch: Number of images.
        passes: Number of timed passes.
    """
    card = predictor.card
    noise = np.random.default_rng(0).integers(0, 100, (len(card.bands), tile, tile)).astype(card.dtype)
    raster = Raster(noise, np.ones((tile, tile), np.bool_), Grid(None, Affine.identity(), tile, tile))
    seconds = []
    for _ in range(passes + 1):
        start = time.perf_counter()
        predictor.logits([raster] * batch)
        if predictor.device.type == "cuda":
            torch.cuda.synchronize(predictor.device)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[1:])[passes // 2]
