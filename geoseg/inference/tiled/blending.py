"""Blend overlapping tile predictions into one mask, which is returned in *strips*.

A blend is a function that takes an iterator of tile predictions, one row of tiles after another, and returns an
iterator of strips, from top to bottom and as wide as the scene. It keeps at most one row of tiles in memory, which
therefore grows with the width of the scene but not with its height: classes x tile x width x 4 bytes (0.6 GB for 7
classes, 512-pixel tiles and a width of 40,000 pixels).

*Crop* keeps the core of each tile and discards the halo. If the halo is at least as wide as the receptive radius of the
network, the mask is identical to that of the whole scene predicted as a single tile. DeepLab's receptive field is
unlimited (image pooling sees the whole view), so neighboring tiles differ slightly, which is visible as lines along
core edges.

*Weighted* averages probabilities where views overlap, over 2 · halo pixels, with weights that decrease toward the edges
of the views, so that tiles blend smoothly into each other. It is the default: it avoids visible seams with any network,
at no additional cost in reading or computing. Sums are not divided by the weights, because these are the same for all
classes of a pixel and do not affect which class has the largest score. The mask is not exactly identical to that of the
whole scene, because pixels near the edge of a view, where the network sees padding instead of the scene, contribute
slightly.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geoseg.grid.window import Window
from geoseg.inference.tile_pipeline import ScoreStrip, TilePrediction


@dataclass(frozen=True)
class TileLayout:
    """Geometry shared by all tiles of a prediction."""

    height: int
    """Number of rows of the predicted region."""
    width: int
    """Number of columns of the predicted region."""
    size: int
    """Side length of a view, in pixels of the scene's grid."""
    halo: int
    """Width of the margin around each core, in pixels of the scene's grid."""
    classes: int
    """Number of classes."""
    device: torch.device
    """Device of the probabilities."""
    window: str
    """A name in :data:`WINDOWS`."""

    @property
    def step(self) -> int:
        """Side length of a complete core."""
        return self.size - 2 * self.halo

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return math.ceil(self.height / self.step) * math.ceil(self.width / self.step)

    @property
    def padded_width(self) -> int:
        """Number of columns from the first column of the first view to the last column of the last view."""
        return math.ceil(self.width / self.step) * self.step + 2 * self.halo


Blend = Callable[[Iterable[TilePrediction], TileLayout], Iterator[ScoreStrip]]
"""Join tile predictions into strips, one row of tiles after another."""


def crop_tiles(predictions: Iterable[TilePrediction], layout: TileLayout) -> Iterator[ScoreStrip]:
    """Take each pixel from the tile in whose core it is located."""
    for row, row_predictions in groupby(predictions, key=_core_row):
        window = Window(row, 0, layout.step, layout.width).clip_to(layout.height, layout.width)
        scores = torch.zeros((layout.classes, *window.shape), device=layout.device)
        valid = np.zeros(window.shape, np.bool_)
        for prediction in row_predictions:
            if prediction.probabilities is not None:
                inside = prediction.tile.core.relative_to(prediction.tile.view).slices()
                target = prediction.tile.core.relative_to(window).slices()
                scores[:, *target] = prediction.probabilities[:, *inside]
                valid[target] = prediction.valid[inside]
        yield ScoreStrip(window, scores, valid)


def blend_weighted(predictions: Iterable[TilePrediction], layout: TileLayout) -> Iterator[ScoreStrip]:
    """Average each pixel over all tiles whose views contain it, with larger weights toward the center of a view.

    The buffer begins at the first row of the current views and at their first column, ``halo`` columns before the
    scene. After a row of tiles, the next row of tiles no longer affects its first ``step`` rows: they are yielded, and
    the rest moves up.
    """
    size, halo, step = layout.size, layout.halo, layout.step
    weights = window_weights(size, halo, layout.window).to(layout.device)
    buffer = torch.zeros((layout.classes, size, layout.padded_width), device=layout.device)
    valid = np.zeros((size, layout.padded_width), np.bool_)
    for row, row_predictions in groupby(predictions, key=_core_row):
        for prediction in row_predictions:
            cols = slice(prediction.tile.view.col + halo, prediction.tile.view.col + halo + size)
            valid[:, cols] = prediction.valid
            if prediction.probabilities is not None:
                buffer[:, :, cols].addcmul_(prediction.probabilities, weights)
        is_last = row + step >= layout.height
        finished = Window(row - halo, 0, size if is_last else step, layout.width)
        window = finished.clip_to(layout.height, layout.width)
        if not window.is_empty:
            inside = window.shift(halo - row, halo).slices()
            yield ScoreStrip(window, buffer[:, *inside], valid[inside])
        for plane in buffer:  # one class after another, because copying the rows that move up takes memory
            plane[: 2 * halo] = plane[step:].clone()
            plane[2 * halo :] = 0


BLENDS: dict[str, Blend] = {"weighted": blend_weighted, "crop": crop_tiles}
"""Blends by name."""


def window_weights(size: int, halo: int, window: str) -> Float[Tensor, "row col"]:
    """Compute the weights of the pixels of a view: 1 in the middle, and never 0.

    Along each axis, the cosine and linear weights of two neighbors add up to 1 wherever only two views overlap (halo at
    most size / 4).

    Args:
        size: Side length of the view in pixels.
        halo: Width of the margin around the core in pixels.
        window: A name in :data:`WINDOWS`.
    """
    axis_weights = WINDOWS[window](torch.arange(size) + 0.5, size, halo)
    return torch.outer(axis_weights, axis_weights)


def _cosine(position: Tensor, size: int, halo: int) -> Tensor:
    """Decrease as sin² over the 2 · halo pixels toward each edge."""
    return torch.sin(_linear(position, size, halo) * (math.pi / 2)) ** 2


def _linear(position: Tensor, size: int, halo: int) -> Tensor:
    """Decrease linearly over the 2 · halo pixels toward each edge."""
    return (torch.minimum(position, size - position) / max(2 * halo, 0.5)).clamp(max=1)


def _gaussian(position: Tensor, size: int, halo: int) -> Tensor:  # noqa: ARG001  (all windows share a signature)
    """Use a normal distribution over the view with a standard deviation of size / 8, as in MONAI and nnU-Net."""
    return torch.exp(-0.5 * ((position - size / 2) / (size / 8)) ** 2)


def _uniform(position: Tensor, size: int, halo: int) -> Tensor:  # noqa: ARG001  (all windows share a signature)
    """Weight all pixels of the view equally."""
    return torch.ones_like(position)


WINDOWS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "cosine": _cosine,
    "linear": _linear,
    "gaussian": _gaussian,
    "uniform": _uniform,
}
"""Weights along an axis of a view by name: functions of position, size and halo."""


def _core_row(prediction: TilePrediction) -> int:
    return prediction.tile.core.row
