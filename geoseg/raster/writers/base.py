"""What a sink promises: it takes pixels of its products window by window, and keeps them or leaves nothing."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, TypeVar

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.raster.writers.partial import Pixels


class Sink(Protocol):
    """Where predicted windows go; pixels never written are 255, the ignore index."""

    @property
    def products(self) -> tuple[str, ...]:
        """What it wants to be given: names of products (raster/product.py)."""

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin rasters on ``grid`` for classes of ``legend``."""

    @property
    def missing(self) -> list[Window]:
        """What is to be predicted: windows as wide as the grid, top to bottom; all of it, unless some is there already."""

    def write(self, window: Window, pixels: Pixels) -> None:
        """Put pixels into a window inside the grid: bytes (band, row, col) of every product, each pixel once."""

    def finish(self) -> None:
        """Make the rasters available, complete."""

    def abandon(self) -> None:
        """Leave nothing behind that looks complete; may be called at any time before the rasters are."""


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
