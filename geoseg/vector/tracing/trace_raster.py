"""From a class raster to polygon outlines: strips are traced side by side, then joined, polygon by polygon as they end."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoseg._concurrency import side_by_side
from geoseg.vector.tracing.assemble_polygons import Joiner
from geoseg.vector.tracing.outlines import Outlines, merged
from geoseg.vector.tracing.trace_strip import Pieces, trace_strip
from geoseg.vector.tracing.vertex_index import Corners

Connectivity = Literal[4, 8]
"""4: pixels of one class belong together if they share a side; 8: also if they share a corner."""

Classes = NDArray[np.uint8] | NDArray[np.int32]
"""Classes of a strip's pixels, (row, col)."""
Weights = NDArray[np.float32]
"""A number for each of a strip's pixels, (row, col); NaN where it is unknown."""

STRIP_PIXELS = 1_000_000
"""About how many pixels a strip has: enough to keep the joining small, few enough to stay in the processor's caches."""

JOINED = 8
"""How many strips are joined at a time: what is unfinished is copied each time."""


def trace(
    mask: Classes,
    *,
    background: int,
    connectivity: Connectivity = 4,
    strip_rows: int | None = None,
    joined: int | None = None,
    weights: Weights | None = None,
    corners: Corners | None = None,
) -> Outlines:
    """The outlines of all regions of equal class in a mask (row, col), to the last bit the same for any ``strip_rows``.

    Pixels of value ``background`` are left out.
    """
    rows = strip_rows or max(STRIP_PIXELS // max(mask.shape[1], 1), 64)
    starts = range(0, mask.shape[0], rows)
    strips = ((mask[row : row + rows], None if weights is None else weights[row : row + rows]) for row in starts)
    found = trace_strips(
        strips, width=mask.shape[1], background=background, connectivity=connectivity, joined=joined, corners=corners
    )
    return merged(list(found))


def trace_strips(
    strips: Iterable[tuple[Classes, Weights | None]],
    *,
    width: int,
    background: int,
    connectivity: Connectivity = 4,
    joined: int | None = None,
    corners: Corners | None = None,
) -> Iterator[Outlines]:
    """The same for an image that comes in strips of full ``width``, top to bottom, each with at least one row.

    Polygons are given as soon as they are whole, so that only what the latest strips touch is held; ``corners`` by then
    hold all vertices that lie around them. While one strip is read, others are traced by as many threads as there are
    cores.
    """

    def join(*, last: bool = False) -> Outlines:
        if corners is not None:
            for strip in pieces:
                corners.add(strip.vertices)
        return joiner.add(pieces, last=last)

    joiner = Joiner(width)
    pieces: list[Pieces] = []
    work = partial(_traced, background=background, diagonals=connectivity == 8, vertices=corners is not None)
    for piece in side_by_side(work, blocks(strips, width, background), ahead=joined or JOINED):
        if len(pieces) == (joined or JOINED):
            yield join()
            pieces = []
        pieces.append(piece)
    yield join(last=True)


def _traced(
    strip: tuple[int, NDArray[np.int32], Weights | None], *, background: int, diagonals: bool, vertices: bool
) -> Pieces:
    row, block, weights = strip
    return trace_strip(block, row, background=background, diagonals=diagonals, weights=weights, vertices=vertices)


def blocks(
    strips: Iterable[tuple[Classes, Weights | None]], width: int, background: int
) -> Iterator[tuple[int, NDArray[np.int32], Weights | None]]:
    """Each strip with the row above it and a column of background on both sides, and its first row in the image.

    A last strip of one background row stands below the image: it owns the corners of the image's lower edge.
    """
    row, above, unknown = 0, None, None
    for strip, weights in strips:
        block = np.full((strip.shape[0] + 1, width + 2), background, strip.dtype)
        block[1:, 1:-1] = strip
        if above is not None:
            block[0] = above
        yield row, block, weights
        row, above = row + strip.shape[0], block[-1].copy()
        unknown = None if weights is None else np.full((1, width), np.nan, np.float32)
    below = np.full((2, width + 2), background, np.uint8 if above is None else above.dtype)
    if above is not None:
        below[0] = above
    yield row, below, unknown
