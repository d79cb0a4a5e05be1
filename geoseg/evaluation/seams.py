"""Seams: whether a mask changes along the edges of its tiles more often than elsewhere.

The *seam index* is the share of neighbouring pixels of different classes across tile edges, divided by that share
everywhere else. 1 means that edges cannot be told from other places; tiles that disagree make it larger. The idea is that
of blocking measures for compressed images, which compare differences across block borders with those inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.tiling import strips
from geoseg.legend import IGNORE_INDEX
from geoseg.raster.scene import Scene

ROWS = 512
"""Rows that are looked at together."""


@dataclass(frozen=True)
class Seams:
    """How often neighbours differ, across edges of tiles and elsewhere."""

    across_edges: float
    """Share of pairs of different classes among pairs with a tile edge between; NaN without any."""
    elsewhere: float
    """The same among all other pairs of neighbours in a row or column."""

    @property
    def index(self) -> float:
        """``across_edges / elsewhere``; NaN where one of them is not known or nothing changes anywhere."""
        return self.across_edges / self.elsewhere if self.elsewhere else float("nan")


def seams(mask: str | Path, *, rows: Sequence[int], cols: Sequence[int]) -> Seams:
    """The seams of a mask whose tiles begin at these rows and columns (pixels of the mask, 0 among them or not).

    Pairs with a pixel that was not predicted do not count. Reads the mask strip by strip.
    """
    with Scene.open(mask) as scene:
        height, width = scene.grid.shape
        across, down = _Pairs.none(width), _Pairs.none(height)
        above = np.full((1, width), IGNORE_INDEX, np.uint8)
        for strip in strips(height, width, ROWS):
            pixels = scene.read(strip).fill(IGNORE_INDEX)[0]
            across.add(*(pairs.sum(axis=0) for pairs in _pairs(pixels[:, :-1], pixels[:, 1:])), first=1)
            column = np.concatenate([above, pixels])
            down.add(*(pairs.sum(axis=1) for pairs in _pairs(column[:-1], column[1:])), first=strip.row)
            above = pixels[-1:]
    edges = across.at(cols) + down.at(rows)
    total = across.at(range(width)) + down.at(range(height))
    rest = total - edges
    return Seams(*(float(part[0] / part[1]) if part[1] else float("nan") for part in (edges, rest)))


@dataclass(frozen=True)
class _Pairs:
    """Pairs of neighbours along one axis, by the position of the second of each."""

    different: NDArray[np.int64]
    both_valid: NDArray[np.int64]

    @classmethod
    def none(cls, length: int) -> "_Pairs":
        return cls(np.zeros(length, np.int64), np.zeros(length, np.int64))

    def add(self, different: NDArray[np.int64], both_valid: NDArray[np.int64], *, first: int) -> None:
        self.different[first : first + len(different)] += different
        self.both_valid[first : first + len(both_valid)] += both_valid

    def at(self, places: Sequence[int]) -> NDArray[np.int64]:
        """Pairs of different classes, and all, at some places."""
        chosen = [place for place in places if 0 < place < len(self.different)]
        return np.array([self.different[chosen].sum(), self.both_valid[chosen].sum()])


def _pairs(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where two neighbours differ, and where both were predicted."""
    both_valid = (one != IGNORE_INDEX) & (other != IGNORE_INDEX)
    return (one != other) & both_valid, both_valid
