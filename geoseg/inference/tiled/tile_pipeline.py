"""From tiles to pieces: what a tile's pixels are, and how readings are gathered into batches for the network.

Reading happens in several threads, the network in one; views without a valid pixel never reach it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from geoseg.grid.grid import Grid
from geoseg.grid.tiling import Tile
from geoseg.grid.window import Window
from geoseg.inference.compatibility import Plan
from geoseg.inference.tiles import Piece, Reading
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

Look = Callable[[Sequence[Raster]], Float[Tensor, "batch class row col"]]
"""What the network says of a batch of rasters of one size: probabilities or, in slide inference, logits."""

Counted = Callable[[Iterable[Piece]], Iterator[Piece]]
"""Lets pieces pass and counts them."""

PATIENCE = 8
"""How many batches of tiles are held back at most until one batch of them has something valid."""


def read_tile(scene: Scene, plan: Plan, tile: Tile) -> Reading:
    """Pixels for the network, and the validity of the scene's own pixels, which resampling would blur.

    Beyond the scene's borders the network sees the scene mirrored, as the plan has it, and nothing else is valid there.
    """
    raster = scene.read(tile.view, plan.bands, shape=plan.seen(tile.view))
    valid = scene.read(tile.view, plan.bands).valid if plan.resamples else raster.valid
    if not valid.any():
        return Reading(tile, None, valid)
    return Reading(tile, mirrored(raster, tile.view, scene.grid) if plan.mirrors else raster, valid)


def mirrored(raster: Raster, view: Window, grid: Grid) -> Raster:
    """A raster of ``view``, whose pixels beyond the edges of ``grid`` are those as far inside (the edge is not repeated)."""
    rows = _mirror(view.row, view.height, grid.height, seen=raster.grid.height)
    cols = _mirror(view.col, view.width, grid.width, seen=raster.grid.width)
    if rows is None and cols is None:
        return raster
    rows = np.arange(raster.grid.height) if rows is None else rows
    cols = np.arange(raster.grid.width) if cols is None else cols
    places = rows[:, np.newaxis], cols
    return Raster(raster.values[:, *places], raster.valid[places], raster.grid)


def _mirror(first: int, size: int, length: int, *, seen: int) -> NDArray[np.int64] | None:
    """Which of ``seen`` pixels along an axis each shows, where those of an axis of ``length`` end; None if none does."""
    begin, end = -first * seen / size, (length - first) * seen / size  # the scene's edges, in pixels that are seen
    inside = max(math.ceil(begin - 0.5), 0), min(math.floor(end + 0.5), seen)
    count = inside[1] - inside[0]
    if inside == (0, seen) or count < 1:
        return None
    period = max(2 * count - 2, 1)
    away = (np.arange(seen) - inside[0]) % period
    return inside[0] + np.minimum(away, period - away)


def predict_pieces(
    readings: Iterable[Reading], look: Look, *, batch: int, group: Callable[[Tile], int]
) -> Iterator[Piece]:
    """The readings with their probabilities, in order; ``look`` is called with ``batch`` that have something valid.

    Tiles of different groups never share a batch: what a network says may depend, in the last bit, on how many images
    it is shown at once, and a prediction that is resumed, or shared among processes, must not.
    """
    for _, members in groupby(readings, key=lambda reading: group(reading.tile)):
        waiting: list[Reading] = []
        live = 0
        for reading in members:
            waiting.append(reading)
            live += reading.raster is not None
            if live in (0, batch) or len(waiting) == PATIENCE * batch:
                yield from _with_probabilities(waiting, look)
                waiting, live = [], 0
        yield from _with_probabilities(waiting, look)


def _with_probabilities(readings: list[Reading], look: Look) -> Iterator[Piece]:
    rasters = [reading.raster for reading in readings if reading.raster is not None]
    probabilities = iter(look(rasters) if rasters else ())
    for reading in readings:
        own = None if reading.raster is None else _resized(next(probabilities), reading.tile.view.shape)
        yield Piece(reading.tile, own, reading.valid)


def _resized(probabilities: Float[Tensor, "class _ _"], shape: tuple[int, int]) -> Float[Tensor, "class _ _"]:
    """Probabilities on the scene's pixels: bilinear, the corners of both pixel grids on each other."""
    if probabilities.shape[1:] == shape:
        return probabilities
    return F.interpolate(probabilities[None], size=shape, mode="bilinear", align_corners=False)[0]
