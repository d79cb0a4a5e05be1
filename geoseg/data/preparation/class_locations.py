"""Class locations: the number of labeled pixels of each class in cells of 64 x 64 pixels.

Samplers use them to look up where a rare class occurs, instead of searching whole masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import IGNORE_INDEX

CELL_SIZE = 64
"""Side length of a cell in pixels. Scenes are converted in strips whose height is a multiple of this length."""


@dataclass(frozen=True, eq=False)
class ClassLocations:
    """The cells of one scene that contain labeled pixels, with their class counts."""

    cells: NDArray[np.int32]
    """Position (row, col) of each cell, in units of cells; shape (cell, 2)."""
    counts: NDArray[np.uint16]
    """Number of labeled pixels of each class in each cell; shape (cell, class)."""

    @classmethod
    def from_mask(cls, mask: NDArray[np.uint8], classes: int, *, first_row: int = 0) -> Self:
        """Count the pixels of each class in each cell of a mask or of a strip of a mask.

        Args:
            mask: Class indices (row, col); values greater than or equal to ``classes`` are ignored.
            classes: Number of classes.
            first_row: Row of the scene at which the strip begins, a multiple of :data:`CELL_SIZE`.
        """
        height, width = mask.shape
        rows, cols = -(-height // CELL_SIZE), -(-width // CELL_SIZE)
        padded = np.full((rows * CELL_SIZE, cols * CELL_SIZE), IGNORE_INDEX, np.uint8)
        padded[:height, :width] = mask
        blocks = padded.reshape(rows, CELL_SIZE, cols, CELL_SIZE).swapaxes(1, 2).reshape(rows * cols, CELL_SIZE**2)
        codes = np.minimum(blocks, classes) + (classes + 1) * np.arange(rows * cols)[:, None]
        counts = np.bincount(codes.ravel(), minlength=(classes + 1) * rows * cols)
        counts = counts.reshape(rows * cols, classes + 1)[:, :classes]
        filled = np.flatnonzero(counts.any(axis=1))
        cells = np.stack((filled // cols + first_row // CELL_SIZE, filled % cols), axis=1)
        return cls(cells.astype(np.int32), counts[filled].astype(np.uint16))

    @classmethod
    def concatenate(cls, strips: Sequence[Self]) -> Self:
        """Concatenate the cells of strips of one scene, from top to bottom."""
        return cls(np.concatenate([each.cells for each in strips]), np.concatenate([each.counts for each in strips]))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file written by :meth:`save`."""
        with np.load(path) as arrays:
            return cls(cells=arrays["place"], counts=arrays["pixels"])

    def save(self, path: Path) -> None:
        """Write the cells to an ``.npz`` file."""
        np.savez(path, place=self.cells, pixels=self.counts)
