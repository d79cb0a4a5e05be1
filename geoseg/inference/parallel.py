"""Predicting what is missing of a mask: some rows after others on one device, or shared among several.

Whatever way a scene is divided, its mask is the same to the last bit: parts show the network the same tiles in the same
batches (inference/flow.py).
"""

import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial

from geoseg._malloc import keep_large_arrays_apart
from geoseg.grid.window import Window
from geoseg.inference.encode_outputs import pixels_of
from geoseg.inference.predictor import Predictor
from geoseg.inference.tiles import Piece
from geoseg.inference.tiling_strategy import Method
from geoseg.progress import Task
from geoseg.raster.writers.base import Sink
from geoseg.raster.writers.partial import BLOCK, Pixels

ROWS = 64
"""Rows whose bytes are made at once: what is reckoned with on the way takes several times the memory of the scores."""

PARTS_PER_HAND = 4
"""Parts for each of those that share a scene: more for even work, fewer for fewer tiles that are seen twice."""

TALL = 6
"""Rows of tiles in a part, unless hands would be idle."""


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

    def add(self, tiles: int, skipped: int) -> None:
        """Count tiles, and how many of them the network did not see."""
        with self._lock:
            self.tiles += tiles
            self.skipped += skipped
            self.task.advance(tiles)

    def counted(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces, counted while they pass; an error when others have failed."""
        for piece in pieces:
            if self.stop.is_set():
                raise Stopped
            self.add(1, int(piece.probabilities is None))
            yield piece

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """Has all others stop if the block ends with an exception (Ctrl-C included)."""
        try:
            yield
        except BaseException:
            self.stop.set()
            raise


class Stopped(Exception):
    """Another part of the scene has failed: there is no use in going on."""


Write = Callable[[Window, Pixels], None]
"""Takes the pixels of a window, as sinks do."""


def predict_rows(
    method: Method,
    rows: Window,
    write: Write,
    predictor: Predictor,
    counts: Counts,
    *,
    batch: int,
    products: Sequence[str],
) -> None:
    """Some rows of the mask and its shares; ``rows`` is as wide as the mask and counts from its first pixel."""
    keep_large_arrays_apart()
    with contextlib.closing(method.part(rows).strips(predictor, counts.counted, batch=batch)) as strips:
        for strip in (part for whole in strips for part in whole.divided(ROWS)):
            write(strip.window.shift(rows.row, 0), pixels_of(strip, products, method.probabilities))


def predict_parts(
    method: Method, parts: Sequence[Window], sink: Sink, predictors: Sequence[Predictor], counts: Counts, *, batch: int
) -> None:
    """Parts of the mask into a sink; every predictor has a thread of its own and takes the next part when it is done."""
    work = partial(predict_rows, method, write=sink.write, counts=counts, batch=batch, products=sink.products)
    if len(predictors) == 1:
        for rows in parts:
            work(rows, predictor=predictors[0])
        return
    waiting, lock = iter(parts), threading.Lock()

    def all_waiting(predictor: Predictor) -> None:
        with counts.stopping():
            while rows := _next(waiting, lock):
                work(rows, predictor=predictor)

    with ThreadPoolExecutor(len(predictors), thread_name_prefix="geoseg-predict") as pool, counts.stopping():
        _raise_first(wait([pool.submit(all_waiting, predictor) for predictor in predictors]).done)


def _raise_first(finished: Iterable[Future[None]]) -> None:
    """The error of a thread that failed, if one did; not that of one that was stopped for it."""
    errors = [error for each in finished if (error := each.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error


def _next(waiting: Iterator[Window], lock: threading.Lock) -> Window | None:
    with lock:
        return next(waiting, None)


def divided(missing: Sequence[Window], hands: int, *, tile: int) -> list[Window]:
    """The missing rows in parts for so many ``hands`` (devices or workers), top to bottom, of whole slabs.

    At the border of two parts, tiles (their side is ``tile`` pixels of the scene) are seen twice: parts are not cut small.
    """
    if hands == 1:
        return list(missing)
    slabs = sum(math.ceil(rows.height / BLOCK) for rows in missing)
    count = min(PARTS_PER_HAND * hands, max(hands, slabs * BLOCK // (TALL * tile)))
    height = max(math.ceil(slabs / count), 1) * BLOCK
    starts = [(rows, row) for rows in missing for row in range(rows.row, rows.row_stop, height)]
    return [Window(row, 0, min(height, rows.row_stop - row), rows.width) for rows, row in starts]
