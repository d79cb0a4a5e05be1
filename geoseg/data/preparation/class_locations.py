"""Where each class lies: labelled pixels counted in cells of 64 x 64, so that samplers find rare classes at once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.legend import IGNORE_INDEX

CELL = 64
"""Side of a cell in pixels; strips of a scene are whole multiples of it."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one scene that hold something, and how much."""

    place: NDArray[np.int32]
    """(row, col) of each cell, counted in cells; shape (cell, 2)."""
    pixels: NDArray[np.uint16]
    """Labelled pixels of each class; shape (cell, class)."""

    @classmethod
    def of(cls, mask: NDArray[np.uint8], classes: int, *, first_row: int = 0) -> "Cells":
        """The cells of a strip of class indices (row, col) that begins at ``first_row``, a multiple of the side."""
        height, width = mask.shape
        rows, cols = -(-height // CELL), -(-width // CELL)
        padded = np.full((rows * CELL, cols * CELL), IGNORE_INDEX, np.uint8)
        padded[:height, :width] = mask
        blocks = padded.reshape(rows, CELL, cols, CELL).swapaxes(1, 2).reshape(rows * cols, CELL * CELL)
        codes = np.minimum(blocks, classes) + (classes + 1) * np.arange(rows * cols)[:, None]
        counts = np.bincount(codes.ravel(), minlength=(classes + 1) * rows * cols)
        pixels = counts.reshape(rows * cols, classes + 1)[:, :classes]
        filled = np.flatnonzero(pixels.any(axis=1))
        place = np.stack((filled // cols + first_row // CELL, filled % cols), axis=1)
        return cls(place.astype(np.int32), pixels[filled].astype(np.uint16))

    @classmethod
    def joined(cls, parts: "list[Cells]") -> "Cells":
        """The cells of strips, one below the other."""
        return cls(np.concatenate([part.place for part in parts]), np.concatenate([part.pixels for part in parts]))

    def save(self, path: Path) -> None:
        """Writes the cells as ``.npz``."""
        np.savez(path, place=self.place, pixels=self.pixels)
