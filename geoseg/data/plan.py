"""A crop before it is cut: which pixels are read, and how they fill it; and how a place is drawn at random.

Training pipelines magnify a piece of a scene and cut a window out of it. A piece of L pixels magnified by m has
L' = int(L m + 1/2) pixels, and the crop begins at any of L' - size + 1 of them. Here the pixels of the scene under the
crop are read and resampled to its size, once. A piece that is smaller than the crop when magnified is read whole; what
it leaves of the crop, on the right and below, is padding.
"""

import math
from dataclasses import dataclass

import numpy as np

from geoseg.grid.window import Window


@dataclass(frozen=True)
class CropPlan:
    """Where one crop is cut."""

    scene: int
    """Position of the scene in the sampler's list."""
    window: Window
    """The scene's pixels that are read; may reach outside."""
    size: int
    """Side of the crop, pixels."""
    core: Window | None = None
    """Part of the crop that counts (in pixels of the crop); outside it the target is "not labelled". None: all."""
    shape: tuple[int, int] | None = None
    """(height, width) that the window is resampled to; the rest of the crop is padding. None: all of the crop."""


def drawn(
    rng: np.random.Generator,
    scene: int,
    piece: Window,
    *,
    size: int,
    scale: tuple[float, float],
    through: tuple[int, int] | None = None,
) -> CropPlan:
    """A crop of ``size`` pixels at a uniformly random place of a piece magnified uniformly within ``scale``.

    With ``through``, (row, col) of a pixel of the scene, only places whose crop holds it.
    """
    magnification = rng.uniform(*scale)
    pixel = (None, None) if through is None else (through[0] - piece.row, through[1] - piece.col)
    (row, height, rows), (col, width, cols) = (
        _drawn(rng, length, size, magnification, at) for length, at in zip(piece.shape, pixel, strict=True)
    )
    window = Window(piece.row + row, piece.col + col, height, width)
    return CropPlan(scene, window, size, shape=None if (rows, cols) == (size, size) else (rows, cols))


def _drawn(
    rng: np.random.Generator, length: int, size: int, magnification: float, pixel: int | None
) -> tuple[int, int, int]:
    """One axis: (first pixel, pixels to read, pixels of the crop they fill)."""
    magnified = max(int(length * magnification + 0.5), 1)
    filled = min(magnified, size)
    least, most = 0, magnified - filled
    if pixel is not None:
        there = int((pixel + 0.5) * magnified / length)
        least, most = max(there - filled + 1, least), min(there, most)
    start = int(rng.integers(least, most + 1))
    # Halves go down: a crop that begins in the middle of a pixel holds it, as ``there`` says.
    first, stop = (math.ceil(edge * length / magnified - 0.5) for edge in (start, start + filled))
    return min(first, length - 1), max(stop - first, 1), filled
