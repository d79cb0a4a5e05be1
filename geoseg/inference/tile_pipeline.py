"""Read, batch, predict and count the tiles of a scene; defines the types that are passed between these stages.

Several threads read tiles, and one thread runs the network. Tiles without valid pixels are not passed to the network.
"""

import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from geoseg.grid.grid import Grid
from geoseg.grid.tiling import Tile, strips
from geoseg.grid.window import Window
from geoseg.inference.compatibility import InputPlan
from geoseg.inference.predictor import Predictor
from geoseg.progress import Task
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene

ForwardFn = Callable[[Sequence[Raster]], Float[Tensor, "batch class row col"]]
"""Function that runs the network on rasters of the same size, and returns probabilities (sliding windows: logits)."""

MAX_BATCHES_HELD = 8
"""Maximum number of tiles, in batches, to hold until there is a full batch of tiles with valid pixels."""


@dataclass(frozen=True, eq=False)
class TileInput:
    """A tile as read from the scene."""

    tile: Tile
    """Position in pixels of the scene's grid."""
    raster: Raster | None
    """Input of the network, at the model's GSD; None if the view contains no valid pixels."""
    valid: NDArray[np.bool_]
    """True for valid, requested pixels of the scene in the tile's view, axes (row, col)."""


@dataclass(frozen=True, eq=False)
class TilePrediction:
    """The network's output for one tile."""

    tile: Tile
    """Position in pixels of the scene's grid."""
    probabilities: Float[Tensor, "class row col"] | None
    """Probabilities of the pixels in the tile's view; None if the view contains no valid pixels."""
    valid: NDArray[np.bool_]
    """True for valid, requested pixels in the tile's view, axes (row, col)."""


class ScoreStrip(NamedTuple):
    """Class scores for some rows of a scene, over its full width."""

    window: Window
    """Position in pixels of the scene's grid."""
    scores: Float[Tensor, "class row col"]
    """Class scores; larger means more probable. Blending yields probabilities multiplied by a factor that is the same
    for all classes of a pixel. The memory is reused for the next strip."""
    valid: NDArray[np.bool_]
    """True for pixels with meaningful scores, axes (row, col)."""

    def split(self, rows: int) -> "Iterator[ScoreStrip]":
        """Split the strip into strips of at most ``rows`` rows, without copying."""
        for part in strips(*self.window.shape, rows):
            inside = part.slices()
            yield ScoreStrip(part.shift(self.window.row, self.window.col), self.scores[:, *inside], self.valid[inside])


class PredictionCancelled(Exception):
    """Raised to stop the prediction of a part because another part of the scene has failed."""


class TileCounter:
    """Counts tiles across all threads, reports progress, and stops all threads after an error in one of them."""

    def __init__(self, task: Task) -> None:
        self.tiles = 0
        """Number of predicted tiles."""
        self.skipped = 0
        """Number of tiles that were not passed to the network."""
        self._task = task
        self._cancelled = threading.Event()
        self._lock = threading.Lock()

    def add(self, tiles: int, skipped: int) -> None:
        """Add tiles to the count; ``skipped`` of them were not passed to the network."""
        with self._lock:
            self.tiles += tiles
            self.skipped += skipped
            self._task.advance(tiles)

    def require_active(self) -> None:
        """Raise :class:`PredictionCancelled` if another thread has failed."""
        if self._cancelled.is_set():
            raise PredictionCancelled

    @contextlib.contextmanager
    def cancel_on_error(self) -> Iterator[None]:
        """Stop the other threads if the ``with`` block ends with an exception, including Ctrl-C."""
        try:
            yield
        except BaseException:
            self._cancelled.set()
            raise


@dataclass(frozen=True)
class TileRunner:
    """A network, and how tiles are passed to it."""

    predictor: Predictor
    """The network on its device."""
    batch: int
    """Number of tiles per forward pass."""
    counter: TileCounter
    """Counter of all tiles."""

    def run(
        self, inputs: Iterable[TileInput], forward: ForwardFn, group: Callable[[Tile], int]
    ) -> Iterator[TilePrediction]:
        """Predict tiles in order; see :func:`predict_tiles`.

        Raises:
            PredictionCancelled: If another thread has failed.
        """
        for prediction in predict_tiles(inputs, forward, batch=self.batch, group=group):
            self.counter.require_active()
            self.counter.add(1, int(prediction.probabilities is None))
            yield prediction


def read_tile(scene: Scene, plan: InputPlan, tile: Tile) -> TileInput:
    """Read the network's input for a tile.

    Beyond the borders of the scene, the input is the mirrored scene if the plan requests this. Validity is determined
    from the original pixels of the scene, because resampling would blur it; pixels beyond the borders are not valid.
    """
    raster = scene.read(tile.view, plan.bands, shape=plan.input_shape(tile.view))
    valid = scene.read(tile.view, plan.bands).valid if plan.resamples else raster.valid
    if not valid.any():
        return TileInput(tile, None, valid)
    return TileInput(tile, mirror_edges(raster, tile.view, scene.grid) if plan.mirrors else raster, valid)


def mirror_edges(raster: Raster, view: Window, grid: Grid) -> Raster:
    """Fill the pixels of a view beyond the edges of a grid by reflection, without repeating the edge pixel.

    Args:
        raster: Pixels of ``view``, possibly at a different resolution.
        view: Window in pixels of ``grid``; may extend beyond it.
        grid: Grid of the scene.
    """
    rows = _reflect(view.row, view.height, grid.height, shown=raster.grid.height)
    cols = _reflect(view.col, view.width, grid.width, shown=raster.grid.width)
    if rows is None and cols is None:
        return raster
    rows = np.arange(raster.grid.height) if rows is None else rows
    cols = np.arange(raster.grid.width) if cols is None else cols
    sources = rows[:, np.newaxis], cols
    return Raster(raster.values[:, *sources], raster.valid[sources], raster.grid)


def _reflect(first: int, size: int, length: int, *, shown: int) -> NDArray[np.int64] | None:
    """Return the source pixel for each of ``shown`` pixels along an axis; None if no pixel has to be replaced.

    The ``shown`` pixels represent the ``size`` scene pixels that begin at ``first``; the scene extends from 0 to
    ``length``.
    """
    begin, end = -first * shown / size, (length - first) * shown / size  # the scene's edges, in shown pixels
    inside = max(math.ceil(begin - 0.5), 0), min(math.floor(end + 0.5), shown)
    count = inside[1] - inside[0]
    if inside == (0, shown) or count < 1:
        return None
    period = max(2 * count - 2, 1)
    distance = (np.arange(shown) - inside[0]) % period
    return inside[0] + np.minimum(distance, period - distance)


def predict_tiles(
    inputs: Iterable[TileInput], forward: ForwardFn, *, batch: int, group: Callable[[Tile], int]
) -> Iterator[TilePrediction]:
    """Run the network on tiles in batches.

    Tiles from different groups never share a batch: the least significant bits of a network's output may depend on the
    number of images in a batch, but the result of a prediction must not depend on whether it is resumed or distributed.

    Args:
        inputs: Tiles in order.
        forward: Function that runs the network.
        batch: Number of tiles with valid pixels per call of ``forward``.
        group: Function that returns the group number of a tile; tiles of the same group are consecutive.

    Yields:
        Predictions in the order of the inputs.
    """
    for _, members in groupby(inputs, key=lambda each: group(each.tile)):
        waiting: list[TileInput] = []
        valid_count = 0
        for tile_input in members:
            waiting.append(tile_input)
            valid_count += tile_input.raster is not None
            if valid_count in (0, batch) or len(waiting) == MAX_BATCHES_HELD * batch:
                yield from _forward(waiting, forward)
                waiting, valid_count = [], 0
        yield from _forward(waiting, forward)


def _forward(inputs: list[TileInput], forward: ForwardFn) -> Iterator[TilePrediction]:
    rasters = [each.raster for each in inputs if each.raster is not None]
    probabilities = iter(forward(rasters) if rasters else ())
    for each in inputs:
        own = None if each.raster is None else _resize(next(probabilities), each.tile.view.shape)
        yield TilePrediction(each.tile, own, each.valid)


def _resize(probabilities: Float[Tensor, "class _ _"], shape: tuple[int, int]) -> Float[Tensor, "class _ _"]:
    """Resize to the pixels of the scene by bilinear interpolation, with the outer corners of both grids aligned."""
    if probabilities.shape[1:] == shape:
        return probabilities
    return F.interpolate(probabilities[None], size=shape, mode="bilinear", align_corners=False)[0]
