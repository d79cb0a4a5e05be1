"""What a sink promises: it takes class indices window by window, in any order, and keeps the mask or leaves nothing."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import Legend


class Sink(Protocol):
    """Where predicted windows go. Used by one thread at a time; pixels never written are 255, the ignore index."""

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin a mask on ``grid`` whose class indices are those of ``legend``."""

    def write(self, window: Window, class_index: NDArray[np.uint8]) -> None:
        """Put class indices, axes (row, col), into a window inside the grid; the last writer of a pixel wins."""

    def finish(self) -> None:
        """Make the mask available, complete."""

    def abandon(self) -> None:
        """Leave nothing behind; may be called at any time before the mask is complete."""


AnySink = TypeVar("AnySink", bound=Sink)


@contextlib.contextmanager
def writing(sink: AnySink, grid: Grid, legend: Legend) -> Iterator[AnySink]:
    """The sink, open; finished when the block ends, abandoned if it ends with any exception (Ctrl-C included)."""
    try:
        sink.open(grid, legend)
        yield sink
        sink.finish()
    except BaseException:
        sink.abandon()
        raise


def require_inside(grid: Grid, window: Window, class_index: NDArray[np.uint8]) -> None:
    """Our own mistakes, caught where they show: a window outside the grid, or of another shape than its pixels."""
    assert grid.window.contains(window), f"{window} reaches outside the mask of {grid.shape}"
    assert class_index.shape == window.shape, f"{class_index.shape} pixels for a window of {window.shape}"
    assert class_index.dtype == np.uint8, f"class indices are uint8, not {class_index.dtype}"
