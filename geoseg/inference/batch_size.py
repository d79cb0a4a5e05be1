"""How many tiles are shown to the network at once."""

import time
from collections.abc import Callable

import numpy as np
import torch
from affine import Affine

from geoseg.errors import GeosegError
from geoseg.grid.grid import Grid
from geoseg.inference.predictor import Predictor
from geoseg.raster.raster import Raster

ON_CPU = 4
"""Tiles per forward pass on a CPU, where more gain nothing."""

MOST = 64
"""Tiles per forward pass at most."""

GAIN = 1.03
"""By how much twice the tiles must be faster, tile by tile, to be worth their memory."""


def chosen_batch(wanted: int | None, predictor: Predictor, side: int) -> int:
    """The batch that was wanted; else a usual one for CPUs, and for GPUs what is tried out to be fast and to fit."""
    if wanted is not None:
        return wanted
    if predictor.device.type != "cuda":
        return ON_CPU
    return fastest(lambda batch: seconds_per_pass(predictor, side, batch))


def fastest(seconds: Callable[[int], float]) -> int:
    """The smallest power of two that is about as fast, tile by tile, as any; :class:`GeosegError` means: does not fit."""
    best, per_tile = 1, seconds(1)
    while 2 * best <= MOST:
        try:
            doubled = seconds(2 * best) / (2 * best)
        except GeosegError:
            break
        if doubled * GAIN > per_tile:
            break
        best, per_tile = 2 * best, doubled
    return best


def seconds_per_pass(predictor: Predictor, side: int, batch: int, *, passes: int = 3) -> float:
    """The median time of a forward pass of noise, ``side`` pixels square; one pass before warms up."""
    card = predictor.card
    noise = np.random.default_rng(0).integers(0, 100, (len(card.bands), side, side)).astype(card.dtype)
    raster = Raster(noise, np.ones((side, side), np.bool_), Grid(None, Affine.identity(), side, side))
    taken = []
    for _ in range(passes + 1):
        begun = time.perf_counter()
        predictor.logits([raster] * batch)
        if predictor.device.type == "cuda":
            torch.cuda.synchronize(predictor.device)
        taken.append(time.perf_counter() - begun)
    return sorted(taken[1:])[passes // 2]
