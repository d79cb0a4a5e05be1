"""Predict the missing rows of a mask: one part after another on a single device, or in parallel on several devices.

The mask is bit-identical regardless of how a scene is divided into parts, because the network processes the same tiles
in the same batches (inference/tile_pipeline.py).
"""

import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from geoseg._malloc import set_mmap_threshold
from geoseg.grid.window import Window
from geoseg.inference.encode_outputs import encode_outputs
from geoseg.inference.tile_pipeline import PredictionCancelled, TileRunner
from geoseg.inference.tiling_strategy import TilingStrategy
from geoseg.raster.writers.base import RasterWriter
from geoseg.raster.writers.partial import BLOCK_SIZE, OutputPixels

ENCODED_ROWS = 64
"""Number of rows to encode at a time; intermediate results need several times the memory of the scores."""

PARTS_PER_WORKER = 4
"""Parts per device or worker. More parts balance the load better; with fewer parts, fewer boundary tiles are predicted
twice."""

MIN_TILE_ROWS = 6
"""Minimum number of rows of tiles in a part, unless workers would be idle."""

WriteFn = Callable[[Window, OutputPixels], None]
"""Function that writes the pixels of all outputs in a window of the mask."""


def predict_rows(
    strategy: TilingStrategy, rows: Window, write: WriteFn, runner: TileRunner, outputs: Sequence[str]
) -> None:
    """Predict some rows of all outputs.

    Args:
        strategy: Tiling strategy for the whole mask.
        rows: A window as wide as the mask, relative to its first pixel.
        write: Function that receives the results.
        runner: The network.
        outputs: Names of the outputs.
    """
    set_mmap_threshold()
    with contextlib.closing(strategy.part(rows).strips(runner)) as strips:
        for part in (part for strip in strips for part in strip.split(ENCODED_ROWS)):
            write(part.window.shift(rows.row, 0), encode_outputs(part, outputs, strategy.probabilities))


def predict_parts(
    strategy: TilingStrategy, parts: Sequence[Window], writer: RasterWriter, runners: Sequence[TileRunner]
) -> None:
    """Predict parts of a mask and pass them to a writer.

    Args:
        strategy: Tiling strategy for the whole mask.
        parts: Windows as wide as the mask, relative to its first pixel.
        writer: Receives the results.
        runners: One per device, with a shared counter. Each one runs in its own thread and takes the next part as soon
            as it is idle.
    """
    if len(runners) == 1:
        for rows in parts:
            predict_rows(strategy, rows, writer.write, runners[0], writer.outputs)
        return
    remaining, lock = iter(parts), threading.Lock()

    def predict_remaining(runner: TileRunner) -> None:
        with runner.counter.cancel_on_error():
            while rows := _next(remaining, lock):
                predict_rows(strategy, rows, writer.write, runner, writer.outputs)

    with (
        ThreadPoolExecutor(len(runners), thread_name_prefix="geoseg-predict") as pool,
        runners[0].counter.cancel_on_error(),
    ):
        _raise_first_error(wait([pool.submit(predict_remaining, runner) for runner in runners]).done)


def _raise_first_error(futures: Iterable[Future[None]]) -> None:
    """Raise the error of a thread that failed rather than that of a thread that was canceled as a result."""
    errors = [error for each in futures if (error := each.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, PredictionCancelled)):
        raise error


def _next(remaining: Iterator[Window], lock: threading.Lock) -> Window | None:
    with lock:
        return next(remaining, None)


def split_rows(missing: Sequence[Window], workers: int, *, tile: int) -> list[Window]:
    """Split missing rows into parts that consist of complete slabs, from top to bottom.

    Tiles at the boundary between two parts are predicted twice, so parts should not be small.

    Args:
        missing: Windows as wide as the mask.
        workers: Number of devices or workers that share the parts.
        tile: Side length of a tile in pixels of the scene.
    """
    if workers == 1:
        return list(missing)
    slabs = sum(math.ceil(rows.height / BLOCK_SIZE) for rows in missing)
    count = min(PARTS_PER_WORKER * workers, max(workers, slabs * BLOCK_SIZE // (MIN_TILE_ROWS * tile)))
    height = max(math.ceil(slabs / count), 1) * BLOCK_SIZE
    starts = [(rows, row) for rows in missing for row in range(rows.row, rows.row_stop, height)]
    return [Window(row, 0, min(height, rows.row_stop - row), rows.width) for rows, row in starts]
