"""The raster writer protocol: writers receive predicted pixels by window, and complete or discard the rasters."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, TypeVar

from geoseg.grid.grid import Grid
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.raster.writers.partial import OutputPixels, PartialRasters


class RasterWriter(Protocol):
    """Destination for predicted windows; pixels that are never written have the value 255 (the ignore index)."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs to write; see :mod:`geoseg.raster.output_bands`."""

    @property
    def partial(self) -> PartialRasters | None:
        """Unfinished rasters on disk that other processes can write to; None if there are none."""

    def open(self, grid: Grid, legend: Legend) -> None:
        """Begin writing rasters on ``grid`` for the classes in ``legend``."""

    @property
    def missing(self) -> list[Window]:
        """Windows that have not been written yet, as wide as the grid, from top to bottom."""

    def write(self, window: Window, pixels: OutputPixels) -> None:
        """Write a window inside the grid for every output; thread-safe, but each pixel must be written only once."""

    def finish(self) -> None:
        """Complete the rasters."""

    def abandon(self) -> None:
        """Stop without leaving rasters that look complete; may be called at any time before :meth:`finish` returns."""


AnyRasterWriter = TypeVar("AnyRasterWriter", bound=RasterWriter)


@contextlib.contextmanager
def open_writer(writer: AnyRasterWriter, grid: Grid, legend: Legend) -> Iterator[AnyRasterWriter]:
    """Open a writer; finish it when the context exits, or abandon it on any exception, including Ctrl-C.

    Args:
        writer: The writer to open.
        grid: Grid of the rasters.
        legend: Classes of the mask.
    """
    try:
        writer.open(grid, legend)
        yield writer
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
