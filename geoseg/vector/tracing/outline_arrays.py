"""Polygon outlines in pixel corner coordinates: the result of tracing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.tracing.ragged_arrays import FloatArray, IntArray, expand_ranges, to_offsets


@dataclass(frozen=True)
class Outlines:
    """The polygons of a class raster: polygons contain parts, parts contain rings, and rings contain pixel corners.

    These are nested ragged arrays: item k extends from ``offsets[k]`` to ``offsets[k + 1]``.
    """

    corners: NDArray[np.int32] | FloatArray
    """(corner, 2): row and column of pixel corners. Rings are closed: their first corner is repeated at the end."""
    is_node: NDArray[np.bool_]
    """(corner,): True where three or four borders meet."""
    ring_offsets: IntArray
    """Offsets of rings in ``corners``. With rows running down, shells are counterclockwise and holes clockwise."""
    part_offsets: IntArray
    """Offsets of parts in the rings; the first ring of a part is its shell, and the others are its holes."""
    polygon_offsets: IntArray
    """Offsets of polygons in the parts; with 4-connectivity, every polygon has one part."""
    values: IntArray
    """(polygon,): class index."""
    pixel_counts: IntArray
    """(polygon,): number of pixels."""
    ids: IntArray
    """(polygon,): row-major index of the first pixel of the polygon in the image."""
    mean_weights: FloatArray
    """(polygon,): mean weight of the pixels; NaN if all weights are unknown."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def polygon_rings(self) -> IntArray:
        """Offsets of polygons in the rings."""
        return self.part_offsets[self.polygon_offsets]

    def take(self, positions: IntArray) -> "Outlines":
        """Copy the polygons at these positions."""
        parts, polygon_offsets = _expand(self.polygon_offsets, positions)
        rings, part_offsets = _expand(self.part_offsets, parts)
        corners, ring_offsets = _expand(self.ring_offsets, rings)
        return Outlines(
            corners=self.corners[corners],
            is_node=self.is_node[corners],
            ring_offsets=ring_offsets,
            part_offsets=part_offsets,
            polygon_offsets=polygon_offsets,
            values=self.values[positions],
            pixel_counts=self.pixel_counts[positions],
            ids=self.ids[positions],
            mean_weights=self.mean_weights[positions],
        )

    def split(self, max_corners: int) -> Iterator["Outlines"]:
        """Split into views of consecutive polygons, each with at most ``max_corners`` corners or a single polygon."""
        ends = self.ring_offsets[self.polygon_rings[1:]]
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(ends, (ends[start - 1] if start else 0) + max_corners, "right"))
            stop = max(stop, start + 1)
            yield self._view(start, stop)
            start = stop

    def _view(self, start: int, stop: int) -> "Outlines":
        parts = self.polygon_offsets[start : stop + 1]
        rings = self.part_offsets[parts[0] : parts[-1] + 1]
        corners = self.ring_offsets[rings[0] : rings[-1] + 1]
        return Outlines(
            corners=self.corners[corners[0] : corners[-1]],
            is_node=self.is_node[corners[0] : corners[-1]],
            ring_offsets=corners - corners[0],
            part_offsets=rings - rings[0],
            polygon_offsets=parts - parts[0],
            values=self.values[start:stop],
            pixel_counts=self.pixel_counts[start:stop],
            ids=self.ids[start:stop],
            mean_weights=self.mean_weights[start:stop],
        )


def concatenate_outlines(portions: Sequence[Outlines]) -> Outlines:
    """Concatenate the polygons of one or more portions."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(portion, name) for portion in portions])
        for name in ("corners", "is_node", "values", "pixel_counts", "ids", "mean_weights")
    }
    for name in ("ring_offsets", "part_offsets", "polygon_offsets"):
        columns[name] = to_offsets(np.concatenate([np.diff(getattr(portion, name)) for portion in portions]))
    return Outlines(**columns)


def _expand(offsets: IntArray, positions: IntArray) -> tuple[IntArray, IntArray]:
    """Return the positions of all items in the selected ranges, and the offset of each range in the result."""
    lengths = np.diff(offsets)[positions]
    return expand_ranges(offsets[:-1][positions], lengths), to_offsets(lengths)
