"""Predicting what is missing of a mask: some rows after others on one device, or shared among several.

Whatever way a scene is divided, its mask is the same to the last bit: parts show the network the same tiles in the same
batches (inference/flow.py).
"""

import contextlib
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from geoseg.grid.window import Window
from geoseg.inference.blend import Piece
from geoseg.inference.method import Method
from geoseg.inference.predictor import Predictor
from geoseg.inference.products import pixels_of
from geoseg.progress import Task
from geoseg.raster.sinks.base import Sink
from geoseg.raster.slabs import BLOCK

SHARES_PER_DEVICE = 4
"""Into how many parts a scene is divided per device: more for even work, fewer for fewer tiles seen twice."""


@dataclass
class Counts:
    """Tiles that have passed, in any thread."""

    task: Task
    tiles: int = 0
    skipped: int = 0
    """How many of them the network did not see."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when others have failed: there is no use in going on."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counted(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces, counted while they pass."""
        for piece in pieces:
            if self.stop.is_set():
                return
            with self._lock:
                self.tiles += 1
                self.skipped += piece.probabilities is None
                self.task.advance()
            yield piece


def predict_rows(method: Method, rows: Window, sink: Sink, predictor: Predictor, counts: Counts, *, batch: int) -> None:
    """Some rows of the mask, into the sink; ``rows`` is as wide as the mask and counts from its first pixel."""
    with contextlib.closing(method.part(rows).strips(predictor, counts.counted, batch=batch)) as strips:
        for strip in strips:
            pixels = pixels_of(strip, sink.products, method.probabilities)
            sink.write(strip.window.shift(rows.row, 0), pixels)


def predict_missing(method: Method, sink: Sink, predictors: Sequence[Predictor], counts: Counts, *, batch: int) -> None:
    """All that the sink misses; every predictor has a thread of its own and takes the next part when it is done."""
    if len(predictors) == 1:
        for rows in sink.missing:
            predict_rows(method, rows, sink, predictors[0], counts, batch=batch)
        return
    waiting = iter(divided(sink.missing, SHARES_PER_DEVICE * len(predictors)))
    lock = threading.Lock()

    def work(predictor: Predictor) -> None:
        try:
            while not counts.stop.is_set():
                with lock:
                    rows = next(waiting, None)
                if rows is None:
                    return
                predict_rows(method, rows, sink, predictor, counts, batch=batch)
        except BaseException:
            counts.stop.set()
            raise

    with ThreadPoolExecutor(len(predictors), thread_name_prefix="geoseg-predict") as pool:
        try:
            for done in [pool.submit(work, predictor) for predictor in predictors]:
                done.result()
        except BaseException:
            counts.stop.set()
            raise


def divided(missing: Sequence[Window], count: int) -> list[Window]:
    """The missing rows in about ``count`` parts of whole slabs, top to bottom."""
    slabs = sum(math.ceil(rows.height / BLOCK) for rows in missing)
    height = max(math.ceil(slabs / count), 1) * BLOCK
    starts = [(rows, row) for rows in missing for row in range(rows.row, rows.row_stop, height)]
    return [Window(row, 0, min(height, rows.row_stop - row), rows.width) for rows, row in starts]
