"""What passes between the stages of a prediction: tile inputs, tile predictions and strips of scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from geoseg.grid.tiling import Tile, strips
from geoseg.grid.window import Window
from geoseg.raster.raster import Raster


@dataclass(frozen=True, eq=False)
class Piece:
    """What is known about one tile."""

    tile: Tile
    """Where it lies; pixels of the scene's grid."""
    probabilities: Float[Tensor, "class row col"] | None
    """Over the tile's view; None if the network did not look, because nothing in the view is valid."""
    valid: NDArray[np.bool_]
    """Over the tile's view, axes (row, col); True = usable."""


class Strip(NamedTuple):
    """Some rows of a scene, as wide as it."""

    window: Window
    """Where; pixels of the scene's grid."""
    scores: Float[Tensor, "class row col"]
    """The larger, the more probable; out of a blend, probabilities times the same number for all classes of a pixel.
    Good until the next strip is asked for."""
    valid: NDArray[np.bool_]
    """Axes (row, col); True where the scores mean something."""

    def divided(self, rows: int) -> "Iterator[Strip]":
        """The same in strips of at most so many rows."""
        for part in strips(*self.window.shape, rows):
            inside = part.slices()
            yield Strip(part.shift(self.window.row, self.window.col), self.scores[:, *inside], self.valid[inside])


@dataclass(frozen=True, eq=False)
class Reading:
    """A tile as it came from the scene."""

    tile: Tile
    """Where it lies; pixels of the scene's grid."""
    raster: Raster | None
    """What the network gets to see, at the model's GSD; None if nothing in the view is valid."""
    valid: NDArray[np.bool_]
    """Which of the scene's own pixels in the view are usable (True), axes (row, col)."""
