"""Measure seams: whether the class of neighboring pixels changes more often across tile edges than elsewhere.

The *seam index* is the fraction of neighboring pixel pairs across tile edges that differ in class, divided by the
same fraction for all other pairs. It is 1 if edges cannot be distinguished from other locations, and larger if tiles
disagree. The same idea is used to measure blocking in compressed images: differences across block borders are compared
with those inside blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

STRIP_ROWS = 512
"""Number of rows per strip."""


@dataclass(frozen=True)
class SeamScores:
    """How often neighboring pixels differ, across tile edges and elsewhere."""

    across_edges: float
    """Fraction of the pairs across a tile edge that differ in class; NaN if there are none."""
    elsewhere: float
    """The same fraction for all other pairs of neighbors in a row or column."""

    @property
    def index(self) -> float:
        """``across_edges / elsewhere``; NaN if one of them is undefined or nothing changes elsewhere."""
        return self.across_edges / self.elsewhere if self.elsewhere else float("nan")


def measure_seams(mask: str | Path, *, rows: Sequence[int], cols: Sequence[int]) -> SeamScores:
    """Measure the seams of a mask.

    Pairs in which a pixel was not predicted are ignored. The mask is read strip by strip.

    Args:
        mask: Mask file.
        rows: First pixel row of each row of tiles; 0 is optional.
        cols: First pixel column of each column of tiles; 0 is optional.
    """
    with Scene.open(mask) as scene:
        height, width = scene.grid.shape
        across, down = _PairCounts.zeros(width), _PairCounts.zeros(height)
        above = np.full((1, width), IGNORE_INDEX, np.uint8)
        for strip in strips(height, width, STRIP_ROWS):
            pixels = scene.read(strip).fill(IGNORE_INDEX)[0]
            across.add(*(pairs.sum(axis=0) for pairs in _pairs(pixels[:, :-1], pixels[:, 1:])), first=1)
            column = np.concatenate([above, pixels])
            down.add(*(pairs.sum(axis=1) for pairs in _pairs(column[:-1], column[1:])), first=strip.row)
            above = pixels[-1:]
    edges = across.at(cols) + down.at(rows)
    total = across.at(range(width)) + down.at(range(height))
    rest = total - edges
    return SeamScores(*(float(part[0] / part[1]) if part[1] else float("nan") for part in (edges, rest)))


@dataclass(frozen=True)
class _PairCounts:
    """Counts of neighboring pairs along one axis, indexed by the position of the second pixel."""

    different: NDArray[np.int64]
    both_valid: NDArray[np.int64]

    @classmethod
    def zeros(cls, length: int) -> Self:
        return cls(np.zeros(length, np.int64), np.zeros(length, np.int64))

    def add(self, different: NDArray[np.int64], both_valid: NDArray[np.int64], *, first: int) -> None:
        self.different[first : first + len(different)] += different
        self.both_valid[first : first + len(both_valid)] += both_valid

    def at(self, positions: Sequence[int]) -> NDArray[np.int64]:
        """Return the number of pairs that differ in class, and of all pairs, at the given positions."""
        inside = [position for position in positions if 0 < position < len(self.different)]
        return np.array([self.different[inside].sum(), self.both_valid[inside].sum()])


def _pairs(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where two neighbors differ, and where both were predicted."""
    both_valid = (one != IGNORE_INDEX) & (other != IGNORE_INDEX)
    return (one != other) & both_valid, both_valid
