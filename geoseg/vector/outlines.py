"""From a whole class raster in memory to polygon outlines: strips are traced side by side, then joined."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from os import cpu_count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geoseg.vector.rings import Outlines, join
from geoseg.vector.trace import Pieces, trace_strip

Connectivity = Literal[4, 8]
"""4: pixels of one class belong together if they share a side; 8: also if they share a corner."""

STRIP_PIXELS = 1_000_000
"""About how many pixels a strip has: enough to keep the joining small, few enough to stay in the processor's caches."""


def trace(
    mask: NDArray[np.uint8] | NDArray[np.int32],
    *,
    background: int,
    connectivity: Connectivity = 4,
    strip_rows: int | None = None,
) -> Outlines:
    """The outlines of all regions of equal class in a mask (row, col).

    Pixels of value ``background`` are left out. The result does not depend on ``strip_rows``, except for the corner
    at which a ring begins.
    """
    rows = strip_rows or max(STRIP_PIXELS // max(mask.shape[1], 1), 64)
    strips = (mask[row : row + rows] for row in range(0, mask.shape[0], rows))
    return trace_strips(strips, width=mask.shape[1], background=background, connectivity=connectivity)


def trace_strips(
    strips: Iterable[NDArray[np.uint8] | NDArray[np.int32]],
    *,
    width: int,
    background: int,
    connectivity: Connectivity = 4,
) -> Outlines:
    """The same for an image that comes in strips of full ``width``, top to bottom, each with at least one row.

    Only a few strips are held at a time: while one is read, others are traced by as many threads as there are cores.
    """
    threads = cpu_count() or 1
    pieces: list[Pieces] = []
    running: deque[Future[Pieces]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="geoseg-trace") as pool:
        for row, block in _blocks(strips, width, background):
            if len(running) >= threads:
                pieces.append(running.popleft().result())
            running.append(pool.submit(trace_strip, block, row, background=background, diagonals=connectivity == 8))
        pieces.extend(future.result() for future in running)
    return join(pieces)


def _blocks(
    strips: Iterable[NDArray[np.uint8] | NDArray[np.int32]], width: int, background: int
) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Each strip with the row above it and a column of background on both sides, and its first row in the image.

    A last strip of one background row stands below the image: it owns the corners of the image's lower edge.
    """
    row, above = 0, None
    for strip in strips:
        block = np.full((strip.shape[0] + 1, width + 2), background, strip.dtype)
        block[1:, 1:-1] = strip
        if above is not None:
            block[0] = above
        yield row, block
        row, above = row + strip.shape[0], block[-1].copy()
    below = np.full((2, width + 2), background, np.uint8 if above is None else above.dtype)
    if above is not None:
        below[0] = above
    yield row, below
