"""Blend overlapping tile predictions into one mask, which is yielded in *strips*.

A blend is a function that takes an iterator of tile predictions, one row of tiles after another, and returns an
iterator of strips, from top to bottom and as wide as the scene. It keeps at most one row of tiles in memory, so memory
use grows with the width of the scene but not with its height: classes x tile x width x 4 bytes (0.6 GB for 7 classes,
512-pixel tiles and a width of 40,000 pixels).

*Crop* keeps the core of each tile and discards the halo. If the halo is at least as wide as the radius of the network's
receptive field, the mask is identical to that of the whole scene predicted as a single tile. DeepLab's receptive field
is unlimited (image-level pooling covers the whole view), so the predictions of neighboring tiles differ slightly, which
is visible as lines along the edges of cores.

*Weighted* averages probabilities where views overlap, over 2 · halo pixels, with weights that decrease toward the edges
of the views, so that tiles blend smoothly into each other. It is the default: it avoids visible seams with any network,
at no additional cost in reading or computation. Sums are not divided by the sum of the weights, which is the same for
all classes of a pixel and does not affect which class has the largest score. The mask is not exactly identical to that
of the whole scene predicted as a single tile, because pixels near the edge of a view, where the network's input is
padding instead of the scene, contribute slightly.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from geoseg.grid.tiling import Sizes, both_axes
from geoseg.grid.window import Window
from geoseg.inference.tile_pipeline import ScoreStrip, TilePrediction


@dataclass(frozen=True)
class TileLayout:
    """Geometry shared by all tiles of a prediction."""

    height: int
    """Number of rows of the predicted region."""
    width: int
    """Number of columns of the predicted region."""
    size: Sizes
    """Side length of a view, or (height, width), in pixels of the scene's grid."""
    halo: Sizes
    """Width of the margin around each core, or (rows above and below, columns to the left and right), in pixels of the
    scene's grid."""
    classes: int
    """Number of classes."""
    device: torch.device
    """Device of the probabilities."""
    window: str
    """A name in :data:`WINDOWS`."""

    @property
    def sizes(self) -> tuple[int, int]:
        """(height, width) of a view."""
        return both_axes(self.size)

    @property
    def halos(self) -> tuple[int, int]:
        """Margin around each core: (rows above and below, columns to the left and right)."""
        return both_axes(self.halo)

    @property
    def steps(self) -> tuple[int, int]:
        """(height, width) of a complete core."""
        (rows, cols), (above, left) = self.sizes, self.halos
        return rows - 2 * above, cols - 2 * left

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return math.ceil(self.height / self.steps[0]) * math.ceil(self.width / self.steps[1])

    @property
    def padded_width(self) -> int:
        """Number of columns from the start of the first view to the end of the last view."""
        step = self.steps[1]
        return math.ceil(self.width / step) * step + 2 * self.halos[1]


Blend = Callable[[Iterable[TilePrediction], TileLayout], Iterator[ScoreStrip]]
"""Function that joins tile predictions into strips, one row of tiles after another."""


def crop_tiles(predictions: Iterable[TilePrediction], layout: TileLayout) -> Iterator[ScoreStrip]:
    """Take each pixel from the tile in whose core it is located."""
    for row, row_predictions in groupby(predictions, key=_core_row):
        window = Window(row, 0, layout.steps[0], layout.width).clip_to(layout.height, layout.width)
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

    The buffer begins at the first row and column of the current row of views, ``left`` columns before the scene. The
    next row of tiles does not affect the first ``step`` rows of the buffer: they are yielded, and the remaining rows
    move up.
    """
    (height, width), (halo, left), step = layout.sizes, layout.halos, layout.steps[0]
    weights = window_weights(layout.size, layout.halo, layout.window).to(layout.device)
    buffer = torch.zeros((layout.classes, height, layout.padded_width), device=layout.device)
    valid = np.zeros((height, layout.padded_width), np.bool_)
    for row, row_predictions in groupby(predictions, key=_core_row):
        for prediction in row_predictions:
            cols = slice(prediction.tile.view.col + left, prediction.tile.view.col + left + width)
            valid[:, cols] = prediction.valid
            if prediction.probabilities is not None:
                buffer[:, :, cols].addcmul_(prediction.probabilities, weights)
        is_last = row + step >= layout.height
        finished = Window(row - halo, 0, height if is_last else step, layout.width)
        window = finished.clip_to(layout.height, layout.width)
        if not window.is_empty:
            inside = window.shift(halo - row, left).slices()
            yield ScoreStrip(window, buffer[:, *inside], valid[inside])
        for plane in buffer:  # one class at a time, because the rows that move up have to be copied
            plane[: 2 * halo] = plane[step:].clone()
            plane[2 * halo :] = 0


BLENDS: dict[str, Blend] = {"weighted": blend_weighted, "crop": crop_tiles}
"""Blends by name."""


def window_weights(size: Sizes, halo: Sizes, window: str) -> Float[Tensor, "row col"]:
    """Compute the weights of the pixels of a view, which are largest in the center and nowhere 0.

    Along each axis, the cosine and linear weights of two neighboring views add up to 1 wherever only two views overlap
    (for a halo of at most size / 4).

    Args:
        size: Side length of the view in pixels, or (height, width).
        halo: Width of the margin around the core in pixels, or (rows above and below, columns to the left and right).
        window: A name in :data:`WINDOWS`.
    """
    axes = zip(both_axes(size), both_axes(halo), strict=True)
    rows, cols = (WINDOWS[window](torch.arange(side) + 0.5, side, ring) for side, ring in axes)
    return torch.outer(rows, cols)


def _cosine(position: Tensor, size: int, halo: int) -> Tensor:
    """Return weights that decrease as sin² over the 2 · halo pixels next to each edge."""
    return torch.sin(_linear(position, size, halo) * (math.pi / 2)) ** 2


def _linear(position: Tensor, size: int, halo: int) -> Tensor:
    """Return weights that decrease linearly over the 2 · halo pixels next to each edge."""
    return (torch.minimum(position, size - position) / max(2 * halo, 0.5)).clamp(max=1)


def _gaussian(position: Tensor, size: int, halo: int) -> Tensor:  # noqa: ARG001  (all windows share a signature)
    """Return Gaussian weights with a standard deviation of size / 8, as in MONAI and nnU-Net."""
    return torch.exp(-0.5 * ((position - size / 2) / (size / 8)) ** 2)


def _uniform(position: Tensor, size: int, halo: int) -> Tensor:  # noqa: ARG001  (all windows share a signature)
    """Return equal weights for all pixels of the view."""
    return torch.ones_like(position)


WINDOWS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "cosine": _cosine,
    "linear": _linear,
    "gaussian": _gaussian,
    "uniform": _uniform,
}
"""Functions by name that return the weights along an axis of a view, given position, size and halo."""


def _core_row(prediction: TilePrediction) -> int:
    return prediction.tile.core.row
