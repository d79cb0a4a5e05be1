"""Scenes of which some blocks cannot be read: those become pixels that are not valid, the rest is as ever."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import SceneError
from geoseg.grid.window import Window
from geoseg.raster.metadata import Description
from geoseg.raster.open_raster import open_raster
from geoseg.raster.raster import Raster
from geoseg.raster.scene import Scene


class TolerantScene(Scene):
    """A scene that goes on where blocks are damaged, and remembers them in :attr:`damaged`."""

    damaged: set[Window]
    """Blocks of the file that could not be read."""

    def __init__(self, path: str, description: Description, *, alpha: bool | None = None) -> None:
        super().__init__(path, description, alpha=alpha)
        self.damaged = set()
        self._damage_lock = threading.Lock()

    def read(
        self,
        window: Window,
        bands: Sequence[int] | None = None,
        *,
        shape: tuple[int, int] | None = None,
        nearest: bool = False,
    ) -> Raster:
        """As :meth:`Scene.read`; around damage, other pixel sizes are made by taking the nearest pixel."""
        self._indexes(bands)  # a band that is not there is no damage ...
        try:
            return super().read(window, bands, shape=shape, nearest=nearest)
        except SceneError:
            if self._closed:
                raise
            open_raster(self.path).close()  # ... nor is a file that is gone altogether
            return self._salvaged(window, bands, shape or window.shape)

    def _salvaged(self, window: Window, bands: Sequence[int] | None, shape: tuple[int, int]) -> Raster:
        """What can be read of a window, block by block."""
        count = len(self.bands) if bands is None else len(bands)
        values = np.zeros((count, *window.shape), self.dtype)
        valid = np.zeros(window.shape, np.bool_)
        for block in self._blocks(window):
            part = block.intersection(window)
            try:
                raster = super().read(part, bands)
            except SceneError:
                with self._damage_lock:
                    self.damaged.add(block)
                continue
            inside = part.relative_to(window).slices()
            values[:, *inside], valid[inside] = raster.values, raster.valid
        rows, cols = (_nearest(size, output) for size, output in zip(window.shape, shape, strict=True))
        grid = self.grid.crop(window)
        return Raster(values[:, rows[:, np.newaxis], cols], valid[rows[:, np.newaxis], cols], grid.with_shape(*shape))

    def _blocks(self, window: Window) -> Iterator[Window]:
        """The file's blocks that a window reaches into."""
        inside, (height, width) = window.intersection(self.grid.window), self.block
        if inside.is_empty:
            return
        for row in range(inside.row // height * height, inside.row_stop, height):
            for col in range(inside.col // width * width, inside.col_stop, width):
                yield Window(row, col, height, width).clip_to(*self.grid.shape)


def _nearest(size: int, output: int) -> NDArray[np.int64]:
    """Which of ``size`` pixels lies nearest to each of ``output``."""
    return ((np.arange(output) + 0.5) * size / output).astype(np.int64)
