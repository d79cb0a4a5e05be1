"""Polygons as pixel corners: what tracing gives, and what is changed, measured and written."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.tracing.connected_components import Integers
from geoseg.vector.tracing.ragged_arrays import offsets, runs


@dataclass(frozen=True)
class Outlines:
    """The polygons of a class raster in pixel corners, as nested runs: polygons of parts, parts of rings, rings of corners.

    Offsets are of length n + 1; item k of n is what lies from ``offsets[k]`` to ``offsets[k + 1]``.
    """

    corners: NDArray[np.int32] | NDArray[np.float64]
    """(corner, 2): row and column of pixel corners. Rings are closed: their first corner is repeated at their end."""
    nodes: NDArray[np.bool_]
    """(corner,): True where three or four borders meet."""
    ring_offsets: Integers
    """Rings in ``corners``. Shells run counter-clockwise as seen with rows running down, holes clockwise."""
    part_offsets: Integers
    """Parts in rings: the first ring of a part is its shell, the others its holes."""
    polygon_offsets: Integers
    """Polygons in parts: always one part each with 4-connectivity."""
    values: Integers
    """(polygon,): the class."""
    pixels: Integers
    """(polygon,): how many pixels the polygon holds."""
    ids: Integers
    """(polygon,): the number of the polygon's first pixel, all pixels of the image counted row by row."""
    means: NDArray[np.float64]
    """(polygon,): the mean weight of its pixels; NaN where no weight is known."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def polygon_rings(self) -> Integers:
        """Polygons in rings."""
        return self.part_offsets[self.polygon_offsets]

    def chosen(self, polygons: Integers) -> "Outlines":
        """The polygons at these positions."""
        parts, part_offsets = _within(self.polygon_offsets, polygons)
        rings, ring_offsets = _within(self.part_offsets, parts)
        lengths, starts = np.diff(self.ring_offsets)[rings], self.ring_offsets[:-1][rings]
        corners = runs(starts, lengths)
        return Outlines(
            corners=self.corners[corners],
            nodes=self.nodes[corners],
            ring_offsets=offsets(lengths),
            part_offsets=ring_offsets,
            polygon_offsets=part_offsets,
            values=self.values[polygons],
            pixels=self.pixels[polygons],
            ids=self.ids[polygons],
            means=self.means[polygons],
        )

    def in_portions(self, corners: int) -> Iterator["Outlines"]:
        """The polygons, about so many corners at a time."""
        ends = self.ring_offsets[self.polygon_rings[1:]]
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(ends, (ends[start - 1] if start else 0) + corners, "right"))
            stop = max(stop, start + 1)
            yield self._between(start, stop)
            start = stop

    def _between(self, start: int, stop: int) -> "Outlines":
        """Polygons that stand one after another, without a copy."""
        parts = self.polygon_offsets[start : stop + 1]
        rings = self.part_offsets[parts[0] : parts[-1] + 1]
        corners = self.ring_offsets[rings[0] : rings[-1] + 1]
        return Outlines(
            corners=self.corners[corners[0] : corners[-1]],
            nodes=self.nodes[corners[0] : corners[-1]],
            ring_offsets=corners - corners[0],
            part_offsets=rings - rings[0],
            polygon_offsets=parts - parts[0],
            values=self.values[start:stop],
            pixels=self.pixels[start:stop],
            ids=self.ids[start:stop],
            means=self.means[start:stop],
        )


def merged(parts: list[Outlines]) -> Outlines:
    """The polygons of all parts, one after another."""
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("corners", "nodes", "values", "pixels", "ids", "means")
    }
    for name in ("ring_offsets", "part_offsets", "polygon_offsets"):
        joined[name] = offsets(np.concatenate([np.diff(getattr(part, name)) for part in parts]))
    return Outlines(**joined)


def _within(bounds: Integers, chosen: Integers) -> tuple[Integers, Integers]:
    """The positions that the chosen runs hold, and the offsets of these runs in them."""
    lengths = np.diff(bounds)[chosen]
    return runs(bounds[:-1][chosen], lengths), offsets(lengths)
